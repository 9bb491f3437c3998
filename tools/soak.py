#!/usr/bin/python3
"""`make soak`: random programs on sticks that are pulled again and again, without end.

Each life is a boot with two sticks. On each of them, one program writes files and remembers what
the kernel has acknowledged (user/tests/keeper.cc), and another one makes random system calls
(user/tests/monkey.cc). Meanwhile the sticks are pulled and plugged at random, fast and slow, into
any port; in some lives the second stick has sectors that cannot be written. Then the programs are
ended, the machine is switched off, and the images are judged: every acknowledged byte is there, and
fsck has no complaint. (Of a stick with bad sectors, only that the kernel and the other stick live.)

    make soak                until ^C, or the first life that goes wrong
    make soak SEEDS=7-9      these lives again
    make soak PULLS=10000    until so many pulls are done
"""

import argparse
import itertools
import os
import random
import re
import shutil
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import minix
from console import ConsoleError
from qmp import QmpError
from vm import BUILD, Machine, Stick, VmError

SECONDS = 20  # of pulling, in each life
PATIENCE = 300  # seconds; for a busy machine, measures nothing
FAILED = BUILD / "soak"  # the images and the console of a life that went wrong


class Wrong(Exception):
    """A life has shown a defect."""


@dataclass
class Done:
    """What a life has done."""
    pulls: int = 0
    changes: int = 0
    files: int = 0


def judge(image, sums):
    """An image must have no fault, and below /kept the files of `sums`: {name: (CRC, length)}."""
    complaints = minix.fsck(image)
    if complaints:
        raise Wrong(f"{image.name}: {complaints}")
    volume = minix.Volume(image.read_bytes())
    for name, (crc, length) in sums.items():
        try:
            content = volume.read(f"/kept/{name}")
        except minix.MinixError as error:
            raise Wrong(f"{image.name}: /kept/{name} was acknowledged: {error}") from error
        if (zlib.crc32(content), len(content)) != (crc, length):
            raise Wrong(f"{image.name}: /kept/{name} is not what was acknowledged "
                        f"({len(content)} bytes, expected {length})")


class Life:
    """One boot, drawn from its seed."""

    def __init__(self, seed, directory, seconds=SECONDS):
        self.seed, self.seconds = seed, seconds
        self._choice = random.Random(seed)
        self._has_bad_sectors = self._choice.random() < 0.25
        self._sticks = [self._make_stick(Path(directory), "stick", 8192, 1, ()),
                        self._make_stick(Path(directory), "other", 4096, 5, self._faults())]
        self._options = {"controller": self._choice.choice(["qemu-xhci", "nec-usb-xhci"]),
                         "machine": self._choice.choice(["pc", "q35"]),
                         "append": self._choice.choice(["", "buffers=64", "policy=0.11"])}
        self._machine = None
        self._order = []  # the sticks on /mnt and /mnt2
        self._sums = {}
        self.done = Done()

    @staticmethod
    def _make_stick(directory, name, kib, port, faults):
        image = directory / f"{name}.img"
        minix.Volume.make(image, kib).mkdir(f"/{name}")
        return Stick(image, name=name, serial=name.upper(), port=port, faults=faults)

    def _faults(self):
        """A sector that cannot be written, among those that are used first."""
        if not self._has_bad_sectors:
            return ()
        return ("inject-error.0.event=write_aio", "inject-error.0.errno=5",
                f"inject-error.0.sector={self._choice.randrange(300, 3000)}",
                "inject-error.0.once=off")

    def __str__(self):
        kind = ", bad sectors" if self._has_bad_sectors else ""
        return f"life {self.seed} ({' '.join(filter(None, self._options.values()))}{kind})"

    def run(self):
        """Returns what was done. Errors: Wrong; VmError and the like for the host's troubles."""
        with Machine(sticks=self._sticks, **self._options) as machine:
            self._machine = machine
            try:
                self._begin()
                self._pull_and_plug()
                self._end()
            except ConsoleError as error:
                raise Wrong(f"the kernel does not answer: {error}") from error
        self._judge_images()
        return self.done

    # --- the guest ---------------------------------------------------------------------------

    def _sh(self, command):
        return self._machine.console.run(command, PATIENCE)

    def _begin(self):
        console = self._machine.console
        console.wait_prompt(PATIENCE)
        console.wait_seen("/dev/sda mounted on /mnt", timeout=PATIENCE)
        self._sh("mkdir /mnt2; while ! mount /dev/sdb /mnt2; do sleep 0.1; done 2> /dev/null")
        # Either stick may have been found first.
        self._order = self._sticks if "stick" in self._sh("echo /mnt/*") else self._sticks[::-1]
        for number, directory in enumerate(["/mnt", "/mnt2"]):
            self._sh(f"mkdir {directory}/kept {directory}/play")
            self._sh(f"/test/keeper {directory}/kept {self.seed * 2 + number} &")
            self._sh(f"k{number}=$!")
            self._sh(f"/test/monkey {self.seed * 1000 + number} 100000 {directory}/play &")
            self._sh(f"m{number}=$!")

    def _pull_and_plug(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            stick = self._choice.choice(self._sticks)
            self._machine.throttle(stick.name, self._choice.choice([0, 0, 256 << 10, 2 << 20]))
            time.sleep(self._choice.random() ** 3 * 3)
            self._machine.pull(stick.name)
            self.done.pulls += 1
            time.sleep(self._choice.random() ** 3 * 3)
            self._machine.plug(stick.name, self._free_port())
        for stick in self._sticks:
            self._machine.throttle(stick.name, 0)

    def _free_port(self):
        taken = {stick.port for stick in self._sticks if self._machine.is_plugged(stick.name)}
        return self._choice.choice(sorted(set(range(1, 9)) - taken))

    def _end(self):
        self._sh("kill -9 $m0 $m1")
        for number in range(2):
            since = len(self._machine.console.text)
            self._sh(f"kill $k{number}")
            self._machine.console.wait_seen(r"keeper: \d+ changes", since, PATIENCE)
            self._note_sums(number, self._machine.console.text[since:])
        self._machine.console.start("sync; poweroff")
        try:
            status = self._machine.wait_end(PATIENCE)
        except VmError as error:
            if not self._has_bad_sectors:
                raise Wrong(f"it is not switched off\n{self._machine.console.text[-2000:]}") from error
            return
        if status != 0:
            raise Wrong(f"QEMU has ended with status {status}")

    def _note_sums(self, number, text):
        """What `keeper` has printed. Its lines may stand behind a prompt."""
        self._sums[number] = {name: (int(crc), int(length)) for name, crc, length in
                              re.findall(r"\bkept (\w+) (\d+) (\d+)", text)}
        self.done.changes += int(re.search(r"keeper: (\d+) changes", text).group(1))

    # --- the images --------------------------------------------------------------------------

    def _judge_images(self):
        text = self._machine.console.text
        if "PANIC: " in text:
            raise Wrong(f"the kernel has panicked\n{text[-3000:]}")
        for number, stick in enumerate(self._order):
            if not (self._has_bad_sectors and stick.faults):
                judge(stick.image, self._sums[number])
                self.done.files += len(self._sums[number])

    def keep(self, directory):
        """Copies what a reader of the failure needs."""
        shutil.rmtree(FAILED, ignore_errors=True)
        shutil.copytree(directory, FAILED)
        if self._machine and self._machine.console:
            (FAILED / "console.txt").write_text(self._machine.console.text)


def seeds_of(text):
    """"7", "3-9" or nothing: all numbers from 1 on."""
    if not text:
        return itertools.count(1)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def soak(seeds, pulls):
    """Returns the exit status."""
    total = Done()
    lives = 0
    try:
        for seed in seeds:
            with tempfile.TemporaryDirectory(prefix="replug-soak-") as directory:
                life = Life(seed, directory)
                print(f"{life}: ", end="", flush=True)
                try:
                    done = life.run()
                except Wrong as error:
                    life.keep(directory)
                    print(f"WRONG\n{error}\nkept in {FAILED}; again: make soak SEEDS={seed}")
                    return 1
            lives += 1
            total.pulls += done.pulls
            total.changes += done.changes
            total.files += done.files
            print(f"{done.pulls} pulls, {done.changes} changes acknowledged, "
                  f"{done.files} files judged")
            if pulls and total.pulls >= pulls:
                break
    except KeyboardInterrupt:
        print("stopped")
    print(f"{lives} lives, {total.pulls} pulls, {total.changes} changes acknowledged, "
          f"{total.files} files judged, nothing lost")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default=os.environ.get("SEEDS", ""), metavar="FIRST-LAST")
    parser.add_argument("--pulls", type=int, default=int(os.environ.get("PULLS") or 0))
    arguments = parser.parse_args()
    try:
        return soak(seeds_of(arguments.seeds), arguments.pulls)
    except (VmError, QmpError, OSError) as error:
        print(f"\nsoak: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
