"""A copy of the tree in which the host tests are built and run with one change at a time."""

import functools
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from mutation.selections import FailsAlready, NoSuchTest, any_matches, parts_without_test

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("boot", "drivers", "fs", "hal", "kernel", "lib", "mm", "tests", "tools", "user",
           "Makefile", "linker.ld")
LONGEST_OUTPUT = 64 << 20  # bytes; a mutant that prints without end is stopped there
MOST_MEMORY = 1500  # MiB
ASLEEP = 8  # times its processor time: a test that has not ended by then does nothing any more
NONE_RAN = "[==========] 0 tests from 0 test suites ran."
# Links a program in a quarter of the time.
FAST_LINKER = ["HOST_LINKER=-fuse-ld=lld"] if shutil.which("ld.lld") else []


class DoesNotLink(Exception):
    """What a change takes away is needed elsewhere."""


def make(tree, jobs, *goals):
    """Runs make without the settings of the make that started this program. Returns its output, and
    whether it worked."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD")}
    done = subprocess.run(["make", "--no-print-directory", f"-j{jobs}", *goals],
                          cwd=tree, env=environment, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode == 0


def programs(host):
    """The test programs that `make host-tests` has built there."""
    return sorted(path.name for path in host.iterdir()
                  if path.is_file() and os.access(path, os.X_OK) and path.name.endswith("_tests"))


def tests_of(program):
    """The names of all its tests."""
    listed = subprocess.run([program, "--gtest_list_tests"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    suite = ""
    for line in listed.splitlines():
        name = line.split("#")[0].rstrip()
        if line.startswith("  "):
            yield suite + name.strip()
        elif name.endswith("."):
            suite = name


def link_tree(source, target):
    """Objects are hard links: a compiler writes a new file and leaves the old one alone."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=os.link)


class Workshop:
    """A copy of `root` under `tree` with the objects of the host tests of `built`."""

    def __init__(self, tree, built, root=ROOT):
        self.tree, self.built, self.root = tree, built, root
        self.host = tree / "build" / "host"

    def furnish(self):
        """The tree as it is, built."""
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir(parents=True)
        for name in SOURCES:
            source = self.root / name
            if source.is_dir():
                shutil.copytree(source, self.tree / name, symlinks=True,
                                ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy2(source, self.tree / name)
        self.link_objects()

    def link_objects(self):
        link_tree(self.built, self.host)

    def restore(self, *names):
        """These files and all objects are the good ones again."""
        for name in names:
            shutil.copy2(self.root / name, self.tree / name)
        self.link_objects()

    def write(self, name, text):
        """A changed file looks as old as it was: make compiles none of what includes it."""
        path = self.tree / name
        path.write_text(text)
        shutil.copystat(self.root / name, path)

    def compile(self, objects):
        """Makes these objects again, and whether that worked. A program is linked when it runs."""
        for name in [*objects, *programs(self.host)]:
            (self.host / name).unlink()
        return not objects or self._make(*objects)[1]

    def build(self, selection):
        """The programs with such tests, of the changed tree. The others are made when they run."""
        for name in programs(self.host):
            (self.host / name).unlink()
        return self._make(*self._programs_with(selection))

    def _programs_with(self, selection):
        return [name for name, tests in self._tests.items() if any_matches(selection, tests)]

    @functools.cached_property
    def _tests(self):
        """Of each good program, by its name."""
        return {name: list(tests_of(self.built / name)) for name in programs(self.built)}

    def _make(self, *names):
        goals = [(self.host / name).relative_to(self.tree).as_posix() for name in names]
        return make(self.tree, 1, *goals, "WARNINGS=-w", *FAST_LINKER)

    @functools.cached_property
    def all_tests(self):
        """The names of the tests of all good programs."""
        return [name for tests in self._tests.values() for name in tests]

    def demand_tests(self, selection, origin):
        """Each part of a selection must have a test."""
        if lost := parts_without_test(selection, self.all_tests):
            raise NoSuchTest(f"{origin}: no test is called {' or '.join(lost)}.")

    def run_in_all(self, selection, patience):
        """As run, over all programs that have such a test."""
        wanted = self._programs_with(selection)
        if not wanted:
            raise NoSuchTest(f"No program has a test that is called {selection}.")
        verdicts = (self.run(program, selection, patience) for program in wanted)
        return next(filter(None, verdicts), None)

    def demand_pass(self, killer, patience):
        """The test that has failed with a change must pass in this tree, which is good again."""
        test = killer.split()[0]
        if test != "?" and (failed := self.run_in_all(test, patience)):
            raise FailsAlready(f"Without any change a test fails already: {failed}")

    def run(self, program, selection, patience, settings=()):
        """None if all of these tests pass, otherwise the one that failed and how; NoSuchTest if
        there is none. Patience: seconds of processor time, so that a busy machine is not taken for a
        test that hangs."""
        if not (self.host / program).exists() and not self._make(program)[1]:
            raise DoesNotLink
        command = [self.host / program, f"--gtest_filter={selection}", "--gtest_fail_fast",
                   "--gtest_color=no"]
        options = f"{os.environ.get('ASAN_OPTIONS', '')}:hard_rss_limit_mb={MOST_MEMORY}"
        with tempfile.TemporaryFile() as file:
            with subprocess.Popen(command, cwd=self.tree, stdout=file, stderr=subprocess.STDOUT,
                                  env={**os.environ, "ASAN_OPTIONS": options, **dict(settings)},
                                  preexec_fn=lambda: _limit(patience)) as process:
                status = _finished(process, ASLEEP * patience)
            file.seek(0)
            output = file.read().decode(errors="replace")
        if status == 0 and NONE_RAN in output:
            raise NoSuchTest(f"{program} has no test that is called {selection}.")
        return verdict(output, status)


def _limit(seconds):
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONGEST_OUTPUT, LONGEST_OUTPUT))
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 5))


def _finished(process, patience):
    """The exit status; None if it used up its processor time, or sleeps for ever."""
    try:
        status = process.wait(patience)
        return None if status == -signal.SIGXCPU else status
    except subprocess.TimeoutExpired:
        process.kill()
        return None


def verdict(output, status):
    begun = re.findall(r"^\[ RUN      \] (\S+)$", output, re.MULTILINE)
    last = begun[-1] if begun else "?"
    if status is None:
        return f"{last} (hangs)"
    if failed := re.search(r"^\[  FAILED  \] (\S+?),? .*\(\d+ ms\)$", output, re.MULTILINE):
        return failed.group(1)
    if status:
        return f"{last} (ends in the middle)"
    return None
