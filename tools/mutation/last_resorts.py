"""What a change has to get past that no test of its line has noticed: a few pulls of every kind, and
the kernel itself in QEMU. They run for such changes only, because they take a minute or two.
"""

import os
import re
import shutil
import subprocess
import sys

from mutation.rooms import Objects
from mutation.selections import NoSuchTest
from mutation.workshop import link_tree, make

PULL_SWEEPS = ("of/pull_sweep.*:starting_at/second_pull.*:of/usb_pull_sweep.*qemu:"
               "of/usb_pull_sweep.*elsewhere")
PATIENCE = 600  # seconds of processor time
IN_QEMU = [f"tests/qemu/test_{name}.py" for name in
           ("boot", "programs", "terminal", "calls", "stacks")]


class PullSweeps:
    """One step of each kind in each phase, of every workload."""

    PROGRAM = "replug_tests"  # holds all rooms but kernel/ and mm/

    def __init__(self, objects):
        self.objects = objects

    def kills(self, workshop, change):
        if not any(name.startswith("product/") for name in self.objects.changed_by(change)):
            return None
        return self._failure(workshop)

    def fails(self, workshop):
        """What fails in a good tree; None if all is well."""
        workshop.demand_tests(PULL_SWEEPS, "the pull sweeps")
        return self._failure(workshop)

    def _failure(self, workshop):
        return workshop.run(self.PROGRAM, PULL_SWEEPS, PATIENCE, {"REPLUG_POINTS": "1"})


class Machine:
    """The kernel with the change, booted, and the programs that run in it. Host tests see no system
    call of a real program, and kernel/i386 not at all."""

    def __init__(self, build):
        self.build = build
        self.objects = Objects(build / "kernel")

    def kills(self, workshop, change):
        """The first test that fails, and fails again when it is alone; None if all pass."""
        return self.failure_with(workshop, [change.file], IN_QEMU)

    def failure_with(self, workshop, changed, tests):
        """The first of these tests that fails, alone too, when these files have changed."""
        self._furnish(workshop)
        for name in (name for file in changed for name in self.objects.made_from.get(file, [])):
            (workshop.tree / "build" / "kernel" / name).unlink()
        if not make(workshop.tree, 1, "all", "WARNINGS=-w")[1]:
            return None  # the host's compiler accepts it; nothing is known
        return self._failure(workshop, tests)

    def fails(self, workshop):
        """What fails in a good tree; None if all is well."""
        self._furnish(workshop)
        output, built = make(workshop.tree, 1, "all", "WARNINGS=-w")
        if not built:
            return f"the kernel does not build:\n{output}"
        for name in IN_QEMU:
            if not (workshop.tree / name).exists():
                raise NoSuchTest(f"There is no {name}.")
        return self._failure(workshop)

    def _failure(self, workshop, tests=tuple(IN_QEMU)):
        failed = self._first_failure(workshop, tests)
        return failed and self._first_failure(workshop, [failed])

    def _furnish(self, workshop):
        """The built kernel and the root disk. Objects are links; what QEMU writes to is a copy."""
        target = workshop.tree / "build"
        for name in ("kernel", "user", "root"):
            link_tree(self.build / name, target / name)
        for name in ("replug.elf", "root.img", "root.stamp"):
            (target / name).unlink(missing_ok=True)
            shutil.copy2(self.build / name, target / name)

    def _first_failure(self, workshop, tests):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no", *tests],
            cwd=workshop.tree, check=False, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "BUILD": str(workshop.tree / "build")})
        found = re.search(r"^(?:FAILED|ERROR) (\S+::[^\n]*?)(?: - .*)?$", done.stdout, re.MULTILINE)
        return found.group(1) if done.returncode and found else None


def of(build):
    """All of them, the cheaper one first."""
    return [PullSweeps(Objects(build / "host")), Machine(build)]
