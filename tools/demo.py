#!/usr/bin/python3
"""`make demo`: writes to a stick, pulls it out, plugs it back in, looks whether anything is lost.

Runs unattended and tells what it does. "The stick holds" is never taken from the kernel: it is read
from the image file behind the emulated stick, while the kernel runs. Exit status 0 only if every
byte arrived and every step went as it is told here.
"""

import os
import random
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import minix
import sticks
from console import ConsoleError
from qmp import QmpError
from vm import Machine, Stick, VmError

HELLO = f"{sticks.BOOK_DIRECTORY}/hello.txt"
RANDOM = "/random.bin"
SIZE = 1 << 20
SLOW = 256 << 10  # bytes a second
COLOUR = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


class Failed(Exception):
    """A step did not go as it is told."""


def tell(text):
    print(textwrap.fill(" ".join(text.split()), 92, initial_indent="    ",
                        subsequent_indent="    "), flush=True)


def show(label, text):
    """Words of the kernel or the host, marked as theirs."""
    start, end = ("\x1b[36m", "\x1b[0m") if COLOUR else ("", "")
    for line in text.strip().splitlines():
        for part in textwrap.wrap(line.strip(), 84, subsequent_indent="  "):
            print(f"      {label:<8}{start}{part}{end}", flush=True)
            label = ""


def check(condition, text):
    if not condition:
        raise Failed(text)


class Demo:
    def __init__(self, directory):
        self._directory = Path(directory)
        self._random = random.SystemRandom().randbytes(SIZE)
        self._step = 0
        self._began = time.monotonic()
        self._vm = None
        self._since = 0
        self._right = Stick(self._directory / "right.img", name="stick", serial="AB12")
        # The same serial number as the right one: a name proves nothing.
        self._wrong = Stick(self._directory / "wrong.img", name="other", serial="AB12", port=1)
        self._source = Stick(self._directory / "source.img", name="source", serial="SOURCE",
                             port=4, read_only=True)

    def step(self, title):
        self._step += 1
        start, end = ("\x1b[1m", "\x1b[0m") if COLOUR else ("", "")
        print(f"\n{start}{self._step}. {title}{end}", flush=True)

    def run(self):
        self.prepare()
        with Machine(sticks=[self._right]) as self._vm:
            self.boot()
            self.write_hello()
            self.pull_idle()
            self.plug_another()
            self.plug_back()
            self.copy_random()
            self.pull_in_transfer()
            self.plug_back_again()
            self.switch_off()
        return self.judge()

    # --- the steps ---------------------------------------------------------------------------

    def prepare(self):
        self.step("Three sticks are made")
        sticks.make_book_stick(self._right.image)
        other = minix.Volume.make(self._wrong.image, sticks.STICK_KIB)
        other.write("/letter.txt", b"Somebody else's letter. " * 1000)
        minix.Volume.make(self._source.image, 2 * 1024).write(RANDOM, self._random)
        tell(f"Ours, with the book's directory {sticks.BOOK_DIRECTORY}; somebody else's, of the same "
             f"size and serial number; and one with a file of {SIZE} random bytes to copy from.")

    def boot(self):
        self.step("The kernel boots; ours is in port 1")
        began = time.monotonic()
        self._vm.console.wait_prompt()
        tell(f"The shell's prompt came after {time.monotonic() - began:.1f} s.")
        self._vm.console.wait_seen("/dev/sda mounted on /mnt")
        self._vm.insert(self._source)
        self.shell("mkdir /tmp/source")
        self._vm.console.wait_seen("^sdb: ")
        self.shell("mount /dev/sdb /tmp/source")
        check("random.bin" in self.shell("ls /tmp/source"), "the stick to copy from is not there")

    def write_hello(self):
        self.step("A file is written")
        self.shell(f"echo Hello, world > /mnt{HELLO}")
        tell("write() has returned: as far as the program knows, its bytes are saved.")
        self.holds_hello(False)

    def pull_idle(self):
        self.step("The stick is pulled out, without a word to anybody")
        self.pull()
        self.kernel_says(r"Replug .*waiting for it.*")
        show("ckpt", self.shell("ckpt"))
        tell("What had not reached the stick is held. The file can still be read:")
        check("Hello, world" in self.shell(f"cat /mnt{HELLO}", told=True), "hello.txt is gone")

    def plug_another(self):
        self.step("Another stick is plugged in, into the same port, with the same serial number")
        before = self._wrong.image.read_bytes()
        self.plug(lambda: self._vm.insert(self._wrong))
        self.kernel_says(r".*is not the missing.*|.*was changed elsewhere.*|.*or is another stick.*")
        show("ckpt", self.shell("ckpt"))
        self.pull("other")
        check(self._wrong.image.read_bytes() == before, "the other stick was written to")
        tell(f"Its name is right, its content is not. All its {len(before)} bytes are as before.")

    def plug_back(self):
        self.step("Ours comes back, in port 3")
        self.come_back(3, lambda image: sticks.bytes_lost(image, HELLO, sticks.HELLO) == 0)
        self.holds_hello(True)

    def copy_random(self):
        self.step(f"{SIZE} random bytes are copied to it, and it is made slow")
        self._vm.throttle("stick", SLOW)
        self.shell(f"cp /tmp/source{RANDOM} /mnt{RANDOM}")
        self.holds_random()

    def pull_in_transfer(self):
        self.step("It is pulled in the middle of a transfer")
        self._vm.console.start("sync")
        tell("`sync` runs: the blocks travel.")
        self.wait_for(lambda: self.holds() > 100, "blocks travel")
        self.pull()
        part = self.holds_random()
        check(part < SIZE // minix.BLOCK, "the stick was faster than the hand")
        self._vm.console.wait_prompt()
        self.kernel_says(r"Replug .*waiting for it.*")
        show("ckpt", self.shell("ckpt"))

    def plug_back_again(self):
        self.step("It comes back, in port 5, a slower one")
        self._vm.throttle("stick", 0)
        self.come_back(5, lambda image: sticks.bytes_lost(image, RANDOM, self._random) == 0)
        self.holds_random()

    def switch_off(self):
        self.step("The machine is switched off")
        self._vm.console.send("poweroff\n")
        self._vm.wait_end()

    def judge(self):
        self.step("The stick is judged, here on the host")
        complaints = minix.fsck(self._right.image)
        show("fsck", complaints or "fsck.minix -f has nothing to complain about")
        image = self._right.image.read_bytes()
        files = {HELLO: sticks.HELLO, RANDOM: self._random}
        lost = {path: sticks.bytes_lost(image, path, data) for path, data in files.items()}
        for path, data in files.items():
            show("compare", f"{path}: {lost[path]} of {len(data)} bytes differ")
        total = sum(len(data) for data in files.values())
        tell(f"All of this took {time.monotonic() - self._began:.0f} seconds.")
        print(f"\n{sum(lost.values())} of {total} bytes lost")
        return not complaints and not any(lost.values())

    # --- how it is done ----------------------------------------------------------------------

    def shell(self, command, told=False):
        output = self._vm.console.run(command)
        if told:
            show("# ", command)
            show("", output)
        return output

    def wait_for(self, condition, what, timeout=20):
        deadline = time.monotonic() + timeout
        while not condition():
            check(time.monotonic() < deadline, f"waited {timeout} s in vain: {what}")
            time.sleep(0.02)

    def kernel_says(self, pattern):
        """Shows the kernel's line that matches, printed since the last pull or plug."""
        show("kernel", self._vm.console.wait_seen(f"(?:{pattern})(?=\n)", self._since).group())

    def pull(self, name="stick"):
        self._since = len(self._vm.console.text)
        self._vm.pull(name)

    def plug(self, action):
        self._since = len(self._vm.console.text)
        action()

    def come_back(self, port, arrived):
        self.plug(lambda: self._vm.plug("stick", port=port))
        self.kernel_says(r".*is back as sd\w+: .*")
        self.wait_for(lambda: arrived(self._vm.snapshot()), "the blocks arrive")

    def holds(self):
        return sticks.blocks_present(self._vm.snapshot(), self._random)

    def holds_hello(self, expected):
        there = sticks.bytes_lost(self._vm.snapshot(), HELLO, sticks.HELLO) == 0
        show("stick", f"holds hello.txt: {'yes' if there else 'no'}")
        check(there == expected, "that is not what should be there")

    def holds_random(self):
        count = self.holds()
        show("stick", f"holds {count} of the {SIZE // minix.BLOCK} blocks of random.bin")
        return count


def main():
    with tempfile.TemporaryDirectory(prefix="replug-demo-") as directory:
        try:
            return 0 if Demo(directory).run() else 1
        except (Failed, ConsoleError, QmpError, VmError, minix.MinixError) as error:
            print(f"\nThe demo failed: {error}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
