#!/usr/bin/python3
"""`make mutants`: is there a test for every rule? Each mutant takes one rule away; a test must fail.

A mutant is a small wrong change, a patch in tests/mutants/, whose head says which rule or guard it
removes, what happens instead, and which tests are expected to notice:

    Rule 3: a shadow is released only when a flush has made its content durable.
    Here: It is released at the good status of the write.
    Killed by: rule_3.*

Every patch is applied to a copy of the tree, where what it touches is compiled again, and the host
tests run: those of its head first, then all. Killed is a mutant that lets a test fail, hang or
panic. Ends with "N mutants, N killed"; exit status 0 only if none survived.

MUTANT=name (or a part of it, or its number) runs that one alone, or those. Two processors are
enough for one mutant at a time; a whole run takes about ten minutes.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests" / "mutants"
SOURCES = ("boot", "drivers", "fs", "hal", "kernel", "lib", "mm", "tests", "tools", "user",
           "Makefile", "linker.ld")
PATIENCE = 600  # seconds for the tests of a head: the slowest good ones take a fraction of it
PATIENCE_FOR_ALL = 3600
PROGRAMS = ("kernel_tests", "replug_tests")  # the quick one first
NO_TEST = "no test has such a name"
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

    def flaws(self):
        """What is wrong with the patch itself."""
        if not (self.rule and self.change and self.killers and self.patch):
            yield "its head must give the rule, `Here: ` and `Killed by: `"
        if complaint := apply(self.path, ROOT, "--check"):
            yield complaint


def all_mutants():
    return [Mutant(path) for path in sorted(PATCHES.glob("*.patch"))]


def apply(patch, tree, *options):
    """Applies a patch; what git complains about, empty if nothing."""
    done = subprocess.run(["git", "apply", *options, patch], cwd=tree, check=False, text=True,
                          capture_output=True, env={**os.environ, **WITHOUT_GIT})
    return done.stderr if done.returncode else ""


def make(tree, *goals):
    """Runs make without the settings of the make that started this program. Returns its output, and
    whether it worked."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD")}
    done = subprocess.run(["make", "--no-print-directory", f"-j{os.cpu_count() or 1}", *goals],
                          cwd=tree, env=environment, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode == 0


class Workshop:
    """A copy of the tree with the objects of the host tests, mended after every mutant.

    Objects are hard links to those of the build: a compiler writes a new file and leaves the old
    one alone.
    """

    def __init__(self, build):
        self.built = build / "host"
        self.tree = build / "mutants"

    def furnish(self):
        """The tree as it is, built."""
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir(parents=True)
        for name in SOURCES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.tree / name, symlinks=True,
                                ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, self.tree / name)
        self.link_objects()

    def link_objects(self):
        target = self.tree / "build" / "host"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.built, target, copy_function=os.link)

    def mend(self, mutant):
        """Takes the mutant's change back; its objects are the good ones again."""
        complaint = apply(mutant.path, self.tree, "--reverse")
        assert not complaint, complaint
        for name in re.findall(r"^\+\+\+ b/(\S+)", mutant.patch, re.MULTILINE):
            shutil.copystat(ROOT / name, self.tree / name)
        self.link_objects()

    def run(self, selection):
        """None if all of these tests pass, otherwise the one that failed and how."""
        outcome = NO_TEST
        for program in PROGRAMS:
            failed = self.run_program(self.tree / "build" / "host" / program, selection)
            if failed not in (None, NO_TEST):
                return failed
            outcome = outcome and failed
        return outcome

    def run_program(self, program, selection):
        command = [program, f"--gtest_filter={selection}", "--gtest_fail_fast",
                   "--gtest_color=no"]
        with subprocess.Popen(command, cwd=self.tree, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                output, _ = process.communicate(
                    timeout=PATIENCE_FOR_ALL if selection == "*" else PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
                return f"{last_test(output)} (hangs)"
        if failed := re.search(r"^\[  FAILED  \] (\S+?),? .*\(\d+ ms\)$", output, re.MULTILINE):
            return failed.group(1)
        if process.returncode:
            return f"{last_test(output)} (ends in the middle)"
        if "0 tests from 0 test suites ran" in output:
            return NO_TEST
        return None


def last_test(output):
    begun = re.findall(r"^\[ RUN      \] (\S+)$", output, re.MULTILINE)
    return begun[-1] if begun else "?"


def attack(workshop, mutant, listed):
    """The test that kills the mutant; None when it survives."""
    if complaint := apply(mutant.path, workshop.tree):
        raise SystemExit(f"{mutant.name} does not apply:\n{complaint}")
    try:
        output, built = make(workshop.tree, "host-tests", "WARNINGS=-w")
        if not built:
            print(f"{mutant.name} does not compile:\n{output}")
            return None
        return workshop.run(mutant.killers) or (not listed and workshop.run("*")) or None
    finally:
        workshop.mend(mutant)


def chosen(name):
    found = [m for m in all_mutants() if not name or name in m.name]
    if not found:
        raise SystemExit(f"No mutant is called {name}.")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutant", nargs="?", default=os.environ.get("MUTANT", ""))
    parser.add_argument("--listed", action="store_true", help="run only the tests of its head")
    options = parser.parse_args()
    wanted = chosen(options.mutant)
    build = ROOT / os.environ.get("BUILD", "build")
    output, built = make(ROOT, "host-tests", f"BUILD={build.relative_to(ROOT)}")
    if not built:
        raise SystemExit(f"The tests do not build:\n{output}")
    workshop = Workshop(build)
    workshop.furnish()
    expected = ":".join(sorted({m.killers for m in wanted}))
    if failed := workshop.run(expected):
        raise SystemExit(f"Without any mutant a test fails already: {failed}")
    survivors = []
    for number, mutant in enumerate(wanted, 1):
        began = time.monotonic()
        killer = attack(workshop, mutant, options.listed)
        took = time.monotonic() - began
        verdict = f"killed by {killer}" if killer else "SURVIVES"
        print(f"[{number}/{len(wanted)}] {mutant.name}: {verdict} ({took:.0f} s)", flush=True)
        if not killer:
            survivors.append(mutant)
            print(f"    {mutant.rule}\n    {mutant.change}", flush=True)
    print(f"{len(wanted)} mutants, {len(wanted) - len(survivors)} killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
