#!/usr/bin/python3
"""`make soak`: random programs on sticks that are pulled again and again, without end.

Each life (tools/soaking/life.py) is a boot with two sticks: plain, slow, or with reads, writes or
flushes that fail again and again. Random calls are made on both and on the RAM disk, files are
written, the sticks are pulled at every kind of moment (tools/soaking/plan.py), and the images are
judged. As many lives as there are processors go on side by side.

    make soak                until ^C or SIGTERM, or the first life that goes wrong
    make soak SEEDS=7-9      these lives again
    make soak PULLS=10000    until so many pulls are done
    make soak JOBS=1         one machine at a time
    make soak GO_ON=1        also after a life that went wrong
    make soak TWINS=1        in a quarter of the lives nothing but the contents tells the sticks apart

In the end, also at ^C, it prints what it has done. Exit status 0: no life went wrong.
"""

import argparse
import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from soaking.done import Done
from soaking.life import Life, Stopped
from soaking.judge import Wrong
from vm import BUILD, VmError

FAILED = BUILD / "soak"  # the images and the consoles of lives that went wrong


def seeds_of(text):
    """"7", "3-9" or nothing: all numbers from 1 on."""
    if not text:
        return itertools.count(1)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def keep(life, directory, reason):
    """Copies what a reader of the failure needs."""
    place = FAILED / str(life.seed)
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(directory, place)
    (place / "console.txt").write_text(life.console_text())
    (place / "reason.txt").write_text(f"{life}\n{reason}\n")
    return place


class Soak:
    """Lives side by side, and the sum of what they have done."""

    def __init__(self, pulls=0, jobs=1, go_on=False, twins=False):
        self._pulls, self._jobs, self._go_on, self._twins = pulls, jobs, go_on, twins
        self._total = Done()
        self._wrong = []  # seeds
        self._unfinished = []  # lives
        self._running = set()
        self._lock = threading.Lock()  # of _running
        self._over = self._stopped = False
        self._began = time.monotonic()

    def stop(self, *_):
        """The handler of SIGINT and SIGTERM."""
        self._stopped = True
        self._end_all()

    def _end_all(self):
        self._over = True
        for life in list(self._running):
            life.stop()

    def run(self, seeds):
        """Returns the exit status. Errors: VmError when QEMU cannot be started."""
        seeds = iter(seeds)
        with ThreadPoolExecutor(self._jobs) as pool:
            under_way = set()
            try:
                while not self._over or under_way:
                    while len(under_way) < self._jobs and not self._over:
                        seed = next(seeds, None)
                        if seed is None:
                            break
                        under_way.add(pool.submit(self._one, seed))
                    if not under_way:
                        break
                    ended, under_way = wait(under_way, 1, FIRST_COMPLETED)
                    for future in ended:
                        future.result()  # raises what the life has raised
            finally:
                self._end_all()
        self._print_sum()
        return 1 if self._wrong else 0

    def _one(self, seed):
        """In a thread of its own."""
        with tempfile.TemporaryDirectory(prefix="replug-soak-") as directory:
            life = Life(seed, directory, twins=self._twins)
            self._running.add(life)
            if self._over:
                life.stop()
            try:
                self._count(life, life.run())
            except Stopped:
                self._unfinished.append(life)
            except Wrong as error:
                self._tell_wrong(life, directory, error)
            finally:
                self._running.discard(life)

    def _count(self, life, done):
        with self._lock:
            self._total.add(done)
            self._over |= 0 < self._pulls <= self._total.pulls.total()
            print(f"{life}: {done.line()}", flush=True)

    def _tell_wrong(self, life, directory, error):
        with self._lock:
            self._wrong.append(life.seed)
            place = keep(life, directory, error)
            print(f"{life}: WRONG\n{error}\nkept in {place}; again: make soak SEEDS={life.seed}",
                  flush=True)
        if not self._go_on:
            self._end_all()

    def _print_sum(self):
        minutes = (time.monotonic() - self._began) / 60
        pulls = self._total.pulls.total()
        if self._stopped or self._unfinished:
            print(f"stopped; not judged and not counted: {len(self._unfinished)} lives with "
                  f"{sum(life.done.pulls.total() for life in self._unfinished)} pulls")
        for line in self._total.table():
            print(line)
        seeds = ", ".join(map(str, self._wrong))
        verdict = f"WRONG: seeds {seeds}" if seeds else "nothing lost"
        print(f"{self._total.lives.total()} lives in {minutes:.1f} minutes, {self._total.line()}, "
              f"{pulls / minutes if minutes else 0:.0f} pulls a minute: {verdict}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default=os.environ.get("SEEDS", ""), metavar="FIRST-LAST")
    parser.add_argument("--pulls", type=int, default=int(os.environ.get("PULLS") or 0))
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS") or
                                                        os.cpu_count() or 1))
    parser.add_argument("--go-on", action="store_true", default=bool(os.environ.get("GO_ON")))
    parser.add_argument("--twins", action="store_true", default=bool(os.environ.get("TWINS")))
    return parser.parse_args()


def main():
    given = arguments()
    soak = Soak(given.pulls, given.jobs, given.go_on, given.twins)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, soak.stop)
    try:
        return soak.run(seeds_of(given.seeds))
    except (VmError, OSError) as error:
        print(f"\nsoak: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
