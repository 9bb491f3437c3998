"""A machine that is audited at its end: all that is in use was so at the first prompt.

/dev/counts tells what is in use. It is read by a fresh shell each time, because the memory of one
grows with what was typed.
"""

import re
import time

from vm import Machine

# A mounted file system uses two inodes: its root, and the directory that it is mounted on.
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


class AuditedMachine(Machine):
    before = None  # what was in use at the first prompt

    def sh(self, command, timeout=60):
        """Types a command, returns what was printed until the next prompt."""
        return self.console.run(command, timeout)

    def wait_for(self, condition, what, timeout=30):
        """Polls a condition until it holds; the time limit is generous and measures nothing."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited in vain: {what}\n{self.console.text[-3000:]}")
            time.sleep(0.02)

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

    def audit(self, patience=PATIENCE):
        """At a prompt with nothing running behind it."""
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
