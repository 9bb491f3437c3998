"""One boot with two sticks, drawn from its seed, and judged.

A life has rounds. In each of them, three random-call fuzzers (user/tests/monkey.cc) make calls on
both sticks and on the RAM disk, and a program on each stick writes files and remembers what the
kernel has acknowledged (user/tests/keeper.cc). Meanwhile the sticks are pulled and plugged (plan.py).
At a round's end the programs say what they have done, the sticks are unmounted or synchronised, and
the images are judged: the files of this round, and of all before. A life ends with `poweroff`; or
the power is cut right after an fsync, and what it had acknowledged must be there.
"""

import os
import random
import re
import time
from pathlib import Path

import minix
from audit import AuditedMachine
from console import ConsoleError
from qmp import QmpError
from soaking import judge, media
from soaking.done import Done
from soaking.hands import Hands
from soaking.judge import Wrong
from soaking.plan import SLOW, Plan
from vm import Stick, VmError

KIB = 8192  # of a stick
ROUNDS = 5
SECONDS = 16  # of pulling, in each round
PATIENCE = 300  # seconds; for a busy machine, measures nothing
ASKED_AGAIN = 5  # seconds after which a file is held again
LAST_PULLS = 30  # seconds of pulls while an fsync is waited for
TRIES = 60  # of a command, at a stick whose every n-th write or read fails
CONTROLLERS = ("qemu-xhci", "nec-usb-xhci")
DISKS = ("sda", "sdb")
MOUNTS = ("/mnt", "/mnt2")  # of DISKS
RAM_DISK = "/tmp/play"
# The fuzzer on the RAM disk ends first: it may have filled the disk, which gets the reports.
PLAYGROUNDS = (RAM_DISK, *(f"{mount}/play" for mount in MOUNTS))


class Stopped(Exception):
    """The user does not want to wait for its end."""


class Cut(Exception):
    """Its power was cut, as it was planned."""


class Life:
    def __init__(self, seed, directory, rounds=ROUNDS, seconds=SECONDS, least=0,
                 twins=False):
        """least: a round goes on until so many of its pulls have counted, however long it takes.

        twins: where the sticks have the same serial number, their file systems have the same size too.
        The kernel takes one for the other when the missing set is small (docs/checkpoint.md, row 7).
        """
        self.seed, self._rounds, self._seconds, self._least = seed, rounds, seconds, least
        self._choice = choice = random.Random(seed)
        # Sixty lives meet every pair of media at both controllers.
        self.controller = CONTROLLERS[seed % 2]
        pair = seed // 2
        self.media = (media.FIRST[pair % len(media.FIRST)], media.SECOND[pair % len(media.SECOND)])
        self._has_bad = any(medium.bad for medium in self.media)
        self._same_serial = choice.random() < 0.25
        self._twins = self._same_serial and twins
        self.is_cut = choice.random() < 0.25
        self._options = {"machine": choice.choice(["pc", "q35"]),
                         "append": choice.choice(["", "buffers=64", "policy=0.11",
                                                  "policy=0.11 buffers=64"])}
        self._sticks = [Stick(Path(directory) / f"{name}.img", name=name, port=port,
                              serial="SAME" if self._same_serial else name.upper(),
                              faults=medium.faults(choice))
                        for name, port, medium in zip(("stick", "other"), (1, 6), self.media)]
        self._machine = None
        self._stopped = False
        self._order = []  # the sticks on MOUNTS
        self._sums = {mount: {} for mount in MOUNTS}  # what their images must hold
        self.done = Done()

    def __str__(self):
        kinds = [*filter(None, self._options.values()), " + ".join(m.name for m in self.media),
                 *(["twins"] if self._twins else ["same serial"] if self._same_serial else []), *(["cut"] if self.is_cut else [])]
        return f"life {self.seed} ({self.controller}, {', '.join(kinds)})"

    def stop(self):
        """From another thread. run() raises Stopped soon."""
        self._stopped = True
        if self._machine:
            self._machine.kill()

    def run(self):
        """Returns what was done. Errors: Wrong, Stopped; VmError when QEMU cannot be started."""
        self._make_images()
        with AuditedMachine(sticks=self._sticks, controller=self.controller,
                            **self._options) as self._machine:
            try:
                self._live()
            except Cut:
                self._judge_the_cut()
            except (ConsoleError, QmpError, VmError, OSError, AssertionError) as error:
                if self._stopped:
                    raise Stopped from error
                raise Wrong(f"{error}\n{self._machine.stderr()}".strip()) from error
        self.done.lives[self.controller] += 1
        if self.done.files == 0 or self.done.pulls.total() == 0:
            raise Wrong("nothing was judged")
        self.done.files_of_lives.append(self.done.files)
        return self.done

    def _make_images(self):
        """The sticks have the same size. Twins differ in nothing but their contents; other sticks with
        the same serial number have file systems of different sizes."""
        sizes = (KIB, KIB // 2 if self._same_serial and not self._twins else KIB)
        for stick, kib in zip(self._sticks, sizes):
            minix.Volume.make(stick.image, kib).mkdir(f"/{stick.name}")
            os.truncate(stick.image, KIB * 1024)

    def _live(self):
        if self._stopped:
            raise OSError("stopped")
        self._begin()
        plan = Plan(self._choice, {stick.name: stick.port for stick in self._sticks},
                    [stick.name for stick, medium in zip(self._sticks, self.media) if medium.slow])
        hands = Hands(self._machine, self.done, self.controller,
                      {stick.name: medium.name for stick, medium in zip(self._sticks, self.media)})
        for number in range(self._rounds):
            self._start_programs(number)
            self._pull_and_plug(plan, hands)
            if self.is_cut and number == self._rounds - 1:
                self._wait_for_an_fsync(plan, hands)
            self._judge_console()
            self._end_programs(number)
            self._judge_round()
        self._power_off()

    # --- the guest ---------------------------------------------------------------------------

    def _sh(self, command):
        return self._machine.sh(command, PATIENCE)

    def _must(self, command):
        """Until it succeeds; the medium may fail at every n-th time."""
        for _ in range(TRIES):
            # Told twice: the kernel may speak in the middle of a line.
            output = self._sh(f"{command}; s=$?; echo status $s; echo status $s")
            if re.search(r"^status 0\r?$", output, re.MULTILINE):
                return output
        raise Wrong(f"{command} fails again and again\n{output}\n{self._sh('ckpt')}")

    def _begin(self):
        console = self._machine.console
        console.wait_prompt(PATIENCE)
        console.wait_seen("/dev/sda mounted on /mnt", timeout=PATIENCE)
        self._sh("mkdir /mnt2; while ! mount /dev/sdb /mnt2; do sleep 0.1; done 2> /dev/null")
        # Either stick may have been found first.
        self._order = self._sticks if "stick" in self._sh("echo /mnt/*") else self._sticks[::-1]
        self._machine.remember_counts()

    def _start_programs(self, number):
        for mount in MOUNTS:
            self._must(f"mkdir {mount}/kept{number}")
        for index, mount in enumerate(MOUNTS):
            self._start(f"k{index}", f"keeper {mount}/kept{number} "
                                     f"{self.seed * 100 + number * 2 + index}")
        for index, playground in enumerate(PLAYGROUNDS):
            first = self.seed * 100000 + (number * len(PLAYGROUNDS) + index) * 5000
            self._start(f"m{index}", f"monkey {first} 5000 {playground}")

    def _start(self, variable, program):
        """What it prints at its end stands in a file of the RAM disk."""
        self._sh(f"/test/{program} > /tmp/{variable} & {variable}=$!")

    def _end_program(self, variable, parse):
        """What it has printed. The kernel may speak in the middle of it: then it is printed again."""
        self._sh(f"kill ${variable}; wait ${variable}")
        for _ in range(5):
            try:
                return parse(self._sh(f"cat /tmp/{variable}"))
            except ValueError as error:
                complaint = error
        raise Wrong(f"{complaint}\n{self._sh('df; ckpt')}")

    def _end_programs(self, number):
        for stick in self._sticks:
            self._machine.throttle(stick.name, 0)
        for index, playground in enumerate(PLAYGROUNDS):
            self.done.calls[playground] += self._end_program(f"m{index}", judge.calls)
        for index, mount in enumerate(MOUNTS):
            if self._is_bad(mount):
                self._hold(index, mount)
            sums, changes = self._end_program(f"k{index}", judge.kept)
            self.done.changes += changes
            if not self._is_bad(mount):
                self._sums[mount].update({f"/kept{number}/{name}": of for name, of in sums.items()})

    def _is_bad(self, mount):
        return self.media[self._sticks.index(self._order[MOUNTS.index(mount)])].bad

    def _good_mounts(self):
        return [mount for mount in MOUNTS if not self._is_bad(mount)]

    # --- pulls -------------------------------------------------------------------------------

    def _pull_and_plug(self, plan, hands):
        for stick, medium in zip(self._sticks, self.media):
            if medium.slow:
                self._machine.throttle(stick.name, SLOW[1])
        end = time.monotonic() + self._seconds
        enough = self.done.pulls.total() + self._least
        while time.monotonic() < end or self.done.pulls.total() < enough:
            hands.perform(plan.act())

    def _wait_for_an_fsync(self, plan, hands):
        """The pulls go on. Raises Cut at the moment at which an fsync was acknowledged."""
        console = self._machine.console
        since = console.length
        began = asked = time.monotonic()
        console.send("kill -USR1 $k0 $k1\n")

        def look():
            if judge.held(console.text_since(since)):
                time.sleep(self._choice.choice([0, 0, 0.01, 0.1]))
                self._machine.kill()
                raise Cut

        while time.monotonic() < began + PATIENCE:
            if time.monotonic() < began + LAST_PULLS:
                hands.perform(plan.act(), look)
            look()
            time.sleep(0.01)
            if time.monotonic() > asked + ASKED_AGAIN:
                asked = time.monotonic()
                console.send("kill -USR1 $k0 $k1\n")
        raise Wrong("no fsync has succeeded")

    # --- the images --------------------------------------------------------------------------

    def _judge_round(self):
        """Half of the rounds end with an umount, the others with a sync; a sync never succeeds where a
        sector takes no write."""
        self._wait_for_both()
        unmounted = self._choice.random() < 0.5 or self._has_bad
        if unmounted:
            self._unmount()
        else:
            self._must("sync")
        self._judge_images(mounted=not unmounted)
        if unmounted:
            for mount in self._good_mounts():
                self._must(f"mount /dev/{DISKS[MOUNTS.index(mount)]} {mount}")

    def _unmount(self):
        for mount in self._good_mounts():
            self._must(f"umount {mount}")

    def _wait_for_both(self):
        """A sync does not wait for a stick that is away."""
        expected = {DISKS[MOUNTS.index(mount)] for mount in self._good_mounts()}

        def are_live():
            self._judge_console()
            live = re.findall(r"^(\w+) +live", self._sh("cat /dev/ckpt; sleep 0.1"), re.MULTILINE)
            return expected <= set(live)
        self._machine.wait_for(are_live, "the sticks are back", PATIENCE)

    def _judge_console(self):
        """What the kernel must not say, as both sticks come back soon and unchanged."""
        if complaint := judge.complaint(self._machine.console.text):
            raise Wrong(complaint)

    def _judge_images(self, mounted=False):
        for mount, stick in zip(MOUNTS, self._order):
            if not self._is_bad(mount):
                self.done.files += judge.judge(stick.image, self._sums[mount], mounted)
                self.done.judged += 1
            elif self._sums[mount]:
                self.done.files += judge.judge_files(stick.image, self._sums[mount])
                self.done.judged += 1

    def _hold(self, index, mount):
        """A stick with a bad sector may lose what was not acknowledged by an fsync."""
        console = self._machine.console
        since = console.length
        self._sh(f"kill -USR1 $k{index}")
        self._machine.wait_for(lambda: "held nothing" in console.text_since(since)
                               or judge.held(console.text_since(since)), "an fsync", PATIENCE)
        self._note_held(since, mount)

    def _note_held(self, since, mount):
        for path, of in judge.held(self._machine.console.text_since(since)).items():
            if path.startswith(f"{mount}/"):
                self._sums[mount][path.removeprefix(mount)] = of

    def _judge_the_cut(self):
        """Files of this round that were not held may have changed since."""
        self.done.cuts += 1
        for mount, stick in zip(MOUNTS, self._order):
            self._note_held(0, mount)
            if self._sums[mount]:
                self.done.files += judge.judge_files(stick.image, self._sums[mount])
                self.done.judged += 1

    def _power_off(self):
        if not self._has_bad:
            self._machine.audit()
            self.done.audits += 1
        if any(medium.failing for medium in self.media):
            self._unmount()  # `poweroff` tries once
        self._judge_console()
        self._machine.console.start("poweroff -f" if self._has_bad else "poweroff")
        status = self._machine.wait_end(PATIENCE)
        if status != 0:
            raise VmError(f"QEMU has ended with status {status}")  # also when stop() has ended it
        if not self._has_bad:  # what waits for its bad sector was given up
            self._judge_console()
        self._judge_images()

    def console_text(self):
        return self._machine.console.text if self._machine and self._machine.console else ""
