"""A running kernel for the tests: a shell to type into, and sticks whose images are read."""

import re
import time

import minix
import sticks
from console import ConsoleError
from vm import Machine

# What the kernel says; the tests wait for these lines.
AWAITED = r"Replug .*waiting for it.*"  # two seconds after a pull; not at a quick return
RETURNED = r"is back as sd\w+: (\d+) blocks? written.*"
REFUSED = r"is not the missing"
CONFLICT = r"was changed elsewhere"


# /dev/counts: what is in use. A mounted file system uses two inodes: its root, and the directory
# that it is mounted on.
INODES_OF_A_MOUNT = 2
PATIENCE = 20  # seconds in which what runs in the background ends


def counts_of(text, mounts=0):
    """{name: number} of /dev/counts, without what `mounts` file systems use."""
    found = re.findall(r"^(\w+) (\d+)\r?$", text, re.MULTILINE)
    counts = {name: int(number) for name, number in found}
    assert {"tasks", "pages_free", "files", "inodes"} <= counts.keys(), f"no counts: {text!r}"
    counts["inodes"] -= INODES_OF_A_MOUNT * mounts
    return counts


def left_behind(before, after, blocks_wait=False):
    """What differs, in words. blocks_wait: a volume may hold blocks; otherwise it holds none."""
    slots = {name for name in before if name.startswith("slots")}
    differing = [f"{name}: {after.get(name)} instead of {before[name]}"
                 for name in before.keys() - slots if after.get(name) != before[name]]
    if not blocks_wait:
        differing += [f"{name}: {after.get(name)} after a sync" for name in slots if after.get(name)]
    return sorted(differing)


class Guest(Machine):
    before = None  # what was in use at the first prompt
    open_reason = None  # why this guest is not audited at its end

    def sh(self, command, timeout=60):
        """Types a command, returns what was printed until the next prompt."""
        return self.console.run(command, timeout)

    def status(self, command, timeout=60):
        """The exit status of a command."""
        self.sh(command, timeout)
        return int(re.findall(r"^(\d+)$", self.sh("echo $?"), re.MULTILINE)[-1])

    def ok(self, command, timeout=60):
        """A command that must succeed; returns what it printed."""
        output = self.sh(command, timeout)
        status = re.findall(r"^(\d+)$", self.sh("echo $?"), re.MULTILINE)
        assert status and status[-1] == "0", f"{command}: status {status}\n{output}"
        return output

    def wait_mounted(self, disk="sda", directory="/mnt"):
        self.console.wait_seen(f"/dev/{disk} mounted on {directory}")

    def wait_for(self, condition, what, timeout=30):
        """Polls a condition until it holds; the time limit is generous and measures nothing."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited in vain: {what}\n{self.console.text[-3000:]}")
            time.sleep(0.02)

    def cksum(self, path):
        """(checksum, size) of a file, by the guest's own cksum."""
        found = re.search(r"^(\d+) (\d+)", self.sh(f"cksum {path}"), re.MULTILINE)
        assert found, f"no cksum of {path}\n{self.console.text[-1000:]}"
        return int(found.group(1)), int(found.group(2))

    def interrupt(self):
        """Presses ^C until the prompt is there: a key that comes before the program is the
        terminal's foreground job does not reach the program."""
        for _ in range(30):
            self.console.send("\x03")
            try:
                self.console.wait_prompt(timeout=2)
                return
            except ConsoleError:
                continue
        raise AssertionError(f"^C has no effect\n{self.console.text[-2000:]}")

    def disks(self):
        """The names of disks and partitions that the kernel has now."""
        return re.findall(r"^(sd\w+)", self.sh("cat /dev/disks"), re.MULTILINE)

    def wait_disk(self, disk):
        """A stick is announced some time after its plug; until then its name is no device."""
        self.wait_for(lambda: disk in self.disks(), f"{disk} has a name")

    # --- the closing audit -------------------------------------------------------------------

    def counts(self):
        mounts = len(re.findall(r"^/dev/sd", self.sh("cat /dev/mounts"), re.MULTILINE))
        return counts_of(self.sh("cat /dev/counts"), mounts)

    def remember_counts(self):
        """What boots in the background, the search for a stick and what it reads ahead, has ended by
        then."""
        def shells():
            return re.findall(r"^\d+ \d+ \w \d+ sh\r?$", self.sh("cat /dev/tasks"), re.MULTILINE)
        self.wait_for(lambda: len(shells()) == 1, "the boot has ended")
        self.wait_for(lambda: self.counts()["requests"] == 0, "no request is under way")
        self.before = self.counts_of_a_fresh_shell()
        self.before["requests"] = 0

    def counts_of_a_fresh_shell(self):
        """The memory of the old one has grown with what was typed."""
        self.sh("exec sh")
        return self.counts()

    def leave_open(self, reason):
        """A test that ends in the middle of something: no audit."""
        self.open_reason = reason

    def audit(self, patience=PATIENCE, always=False):
        """At a prompt with nothing running behind it: all that is in use was so at the first one."""
        if self.before is None or (self.open_reason and not always):
            return
        volumes = re.findall(r"^sd\w+ +(\w+)", self.sh("cat /dev/ckpt"), re.MULTILINE)
        blocks_wait = any(state != "live" for state in volumes)
        deadline = time.monotonic() + patience
        while True:
            if not blocks_wait:
                self.sh("sync", timeout=120)
            found = left_behind(self.before, self.counts_of_a_fresh_shell(), blocks_wait)
            if not found:
                return
            assert time.monotonic() < deadline, (
                f"left behind at the end: {', '.join(found)}\n{self.sh('cat /dev/tasks')}")
            time.sleep(0.2)

    # --- pulls -------------------------------------------------------------------------------

    def volume_line(self, disk="sda"):
        """What `ckpt` says about a volume."""
        found = re.search(rf"^{disk} .*$", self.sh("cat /dev/ckpt"), re.MULTILINE)
        return found.group() if found else ""

    def wait_state(self, state, disk="sda"):
        self.wait_for(lambda: f" {state} " in self.volume_line(disk), f"{disk} is {state}")

    def come_back(self, name="stick", port=None):
        self.plug(name, port)
        return self.console.expect(RETURNED).group()

    def pull_in_transfer(self, data, name="stick", after=64, speed=256 << 10):
        """Starts `sync`, and pulls once at least `after` blocks of `data`, but not all, are there.

        The prompt is awaited. Returns how many blocks had arrived.
        """
        self.throttle(name, speed)
        self.console.start("sync")
        self.wait_for(lambda: self.blocks_present(data, name) >= after, "blocks arrive")
        self.pull(name)
        self.throttle(name, 0)
        arrived = self.blocks_present(data, name)
        assert arrived < len(sticks.blocks_of(data)), "the pull came too late to test anything"
        return arrived

    # --- images ------------------------------------------------------------------------------

    def volume(self, name="stick"):
        return minix.Volume(self.snapshot(name))

    def blocks_present(self, data, name="stick"):
        return sticks.blocks_present(self.snapshot(name), data)

    def holds(self, path, data, name="stick"):
        return sticks.bytes_lost(self.snapshot(name), path, data) == 0

    def poweroff(self):
        self.audit()
        self.console.start("poweroff")
        assert self.wait_end() == 0

    def judge(self, files, name="stick"):
        """Switches off; then the image must be clean and hold these files: {path: bytes}."""
        self.poweroff()
        assert minix.fsck(self.sticks[name].image) == ""
        volume = self.volume(name)
        for path, data in files.items():
            assert volume.read(path) == data, f"{path} differs"
