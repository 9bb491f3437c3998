"""A running kernel for the tests: a shell to type into, and sticks whose images are read."""

import re

import minix
import sticks
from audit import PATIENCE, AuditedMachine
from console import ConsoleError

# What the kernel says; the tests wait for these lines.
AWAITED = r"Replug .*waiting for it, .* left"  # two seconds after a pull; not at a quick return
RETURNED = r"is back as sd\w+: (\d+) blocks? written.*"
REFUSED = r"is not the missing"
CONFLICT = r"was (?:changed elsewhere|formatted anew)"


class Guest(AuditedMachine):
    open_reason = None  # why this guest is not audited at its end

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

    def leave_open(self, reason):
        """A test that ends in the middle of something: no audit."""
        self.open_reason = reason

    def audit(self, patience=PATIENCE, always=False):
        """At a prompt with nothing running behind it: all that is in use was so at the first one."""
        if self.before is not None and (always or not self.open_reason):
            super().audit(patience)

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
