"""The patches of tests/mutants/: what their heads say, and trying one."""

import functools
import os
import queue
import re
import subprocess
import time

from mutation.selections import names_in, parts_without_test
from mutation.workshop import ROOT

PATCHES = ROOT / "tests" / "mutants"
PATIENCE = 600  # seconds for the tests of a head: the slowest good ones take a fraction of it
PATIENCE_FOR_ALL = 3600
WITHOUT_GIT = {"GIT_CEILING_DIRECTORIES": "/", "GIT_DIR": "/nonexistent"}


class Mutant:
    """A patch and what its head says."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        head, _, self.patch = path.read_text().partition("\ndiff --git ")
        self.rule = head.split("\nHere: ")[0].strip()
        self.change = " ".join(re.findall(r"^Here: (.*)$", head, re.MULTILINE))
        self.killers = " ".join(re.findall(r"^Killed by: (\S+)$", head, re.MULTILINE))
        self.in_qemu = self.killers.startswith("tests/qemu/")  # FILE.py, not a selection
        self.files = re.findall(r"^\+\+\+ b/(\S+)", self.patch, re.MULTILINE)

    def flaws(self):
        """What is wrong with the patch itself."""
        if not (self.rule and self.change and self.killers and self.patch):
            yield "its head must give the rule, `Here: ` and `Killed by: `"
        for part in self._parts_without_test():
            yield f"Killed by: no test is called {part}"
        if complaint := apply(self.path, ROOT, "--check"):
            yield complaint

    def _parts_without_test(self):
        if self.in_qemu:
            return [] if (ROOT / self.killers).is_file() else [self.killers]
        return parts_without_test(self.killers, names_of_all_tests()) if self.killers else []


@functools.lru_cache(maxsize=None)
def names_of_all_tests():
    return names_in(ROOT)


def all_mutants():
    return [Mutant(path) for path in sorted(PATCHES.glob("*.patch"))]


def chosen(name):
    found = [m for m in all_mutants() if not name or name in m.name]
    if not found:
        raise SystemExit(f"No mutant is called {name}.")
    return found


def apply(patch, tree, *options):
    """Applies a patch; what git complains about, empty if nothing."""
    done = subprocess.run(["git", "apply", *options, patch], cwd=tree, check=False, text=True,
                          capture_output=True, env={**os.environ, **WITHOUT_GIT})
    return done.stderr if done.returncode else ""


class Attack:
    """Called with a mutant: the test that kills it, None when it survives; and the seconds."""

    def __init__(self, workshops, machine, listed):
        self.machine = machine
        self.listed = listed
        self._idle = queue.SimpleQueue()
        for workshop in workshops:
            self._idle.put(workshop)

    def __call__(self, mutant):
        began = time.monotonic()
        workshop = self._idle.get()
        try:
            return self._attack(workshop, mutant), time.monotonic() - began
        finally:
            workshop.restore(*mutant.files)
            self._idle.put(workshop)

    def _attack(self, workshop, mutant):
        if complaint := apply(mutant.path, workshop.tree):
            raise SystemExit(f"{mutant.name} does not apply:\n{complaint}")
        if mutant.in_qemu:
            return self.machine.failure_with(workshop, mutant.files, [mutant.killers])
        output, built = workshop.build(mutant.killers)
        if not built:
            print(f"{mutant.name} does not compile:\n{output}")
            return None
        if killer := workshop.run_in_all(mutant.killers, PATIENCE):
            return killer
        killer = None if self.listed else workshop.run_in_all("*", PATIENCE_FOR_ALL)
        if killer:  # the tests of the heads alone are known to pass without a patch
            workshop.restore(*mutant.files)
            workshop.demand_pass(killer, PATIENCE)
        return killer
