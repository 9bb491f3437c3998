"""Carries out the acts of a plan (plan.py) at a machine, and counts the pulls."""

import os
import time

PATIENCE_FOR_USE = 3  # seconds; a kernel that hangs is noticed by others
TICK = 0.001  # seconds
TICKS_OF_A_QUESTION = 10  # QEMU is asked less often


class Hands:
    def __init__(self, machine, done, controller, media):
        """done: what counts (done.py); media: {name of a stick: name of its medium}."""
        self._machine, self._done = machine, done
        self._controller, self._media = controller, media
        self._met = set()
        self._wrote = {}

    def perform(self, act, look=lambda: None):
        """All steps of an act; look() is called at every tick, and may raise."""
        self._met = set()
        self._wrote = {}
        under_way = [self._steps(name, steps) for name, steps in act.items()]
        while under_way:
            look()
            under_way = [steps for steps in under_way if next(steps, "over") != "over"]
            time.sleep(TICK)

    def _steps(self, name, steps):
        """A generator that goes on at every tick."""
        for step in steps:
            if step.action == "wait":
                yield from _until(lambda: False, step.value)
            elif step.action == "used":
                yield from self._wait_used(name)
            elif step.action == "write":
                yield from self._wait_write(name, step.value)
            elif step.action == "meet":
                self._met.add(name)
                yield from _until(lambda: len(self._met) == 2)
            elif step.action == "throttle":
                self._machine.throttle(name, step.value)
            elif step.action == "pull":
                self._pull(name, step.place)
            elif step.action == "plug":
                self._machine.plug(name, step.value)
            else:
                raise ValueError(step)

    def _wait_used(self, name):
        deadline = time.monotonic() + PATIENCE_FOR_USE
        while not self._machine.used(name) and time.monotonic() < deadline:
            for _ in range(TICKS_OF_A_QUESTION):
                yield

    def _wait_write(self, name, seconds):
        image = self._machine.sticks[name].image
        before = os.stat(image).st_mtime_ns
        yield from _until(lambda: os.stat(image).st_mtime_ns != before, seconds)
        self._wrote[name] = os.stat(image).st_mtime_ns != before

    def _pull(self, name, place):
        """One that came before the kernel had read the stick is done, but does not count. A pull that
        wanted to interrupt a write, and did not meet one, is a plain pull."""
        counts = self._machine.used(name)
        self._machine.pull(name)
        if not counts:
            self._done.early += 1
            return
        if place in ("write", "replay") and not self._wrote.pop(name, False):
            place = "plain"
        self._done.pulls[self._controller, self._media[name]] += 1
        self._done.places[place] += 1


def _until(condition, seconds=float("inf")):
    """Yields until the condition holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        yield
