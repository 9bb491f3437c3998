"""Which tests execute a line: the host tests with gcov's counters, every test once by itself.

The map is kept in build/coverage/ as long as no source changes. Sweeps are left out: one of them
executes nearly every line, and takes longer than all the other tests together.
"""

import collections
import concurrent.futures
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from mutation.selections import FailsAlready
from mutation.workshop import ROOT, link_tree, make, programs, tests_of

SWEEPS = re.compile(r"pull_sweep|second_pull|usb_sweep_itself", re.IGNORECASE)
WITHOUT_COUNTERS = ("tests/", "pc/tests/", "pc/gtest/")
SUITES = re.compile(r"^(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+)", re.MULTILINE)
NEAR = 12  # lines: a statement begins at most so far above a place in it


class Coverage:
    """tests: [[program, name, seconds]]; lines: {file: {line: [number of a test]}}."""

    def __init__(self, tests, lines):
        self.tests, self.lines = tests, lines
        self._width = collections.Counter(number for known in lines.values()
                                          for numbers in known.values() for number in numbers)

    def tests_at(self, file, line, in_function=True):
        """The tests that execute a line, narrowest first: those that execute few lines are quick and
        look closely, and the order is the same on a busy machine. A line without code of its own
        belongs to the statement above it; outside functions (a constant) to all tests of the file."""
        known = self.lines.get(file, {})
        for near in range(line, max(0, line - NEAR), -1) if in_function else ():
            if str(near) in known:
                return self._narrowest(known[str(near)])
        return self._narrowest({number for numbers in known.values() for number in numbers})

    def tests_in(self, sources):
        """The tests that stand in these files. Files of tests have no counters, but they have their
        own copies of what stands in a header."""
        suites = {suite for source in sources for suite in SUITES.findall(source.read_text())}
        return [test for test in self.tests if test[1].split(".")[0].split("/")[-1] in suites]

    def of_tests_in(self, host):
        """Without the tests that these programs have no longer."""
        there = {(program, name) for program in programs(host) for name in tests_of(host / program)}
        kept = [n for n, test in enumerate(self.tests) if tuple(test[:2]) in there]
        number = {old: new for new, old in enumerate(kept)}
        return Coverage([self.tests[n] for n in kept],
                        {file: {line: [number[n] for n in numbers if n in number]
                                for line, numbers in known.items()}
                         for file, known in self.lines.items()})

    def _narrowest(self, numbers):
        return [self.tests[n] for n in sorted(numbers, key=lambda n: (self._width[n], n))]


def fingerprint(root):
    """Changes with every source of the tests and of what they test."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix in (".h", ".cc", ".ld", ".mk") and not name.startswith(("build", ".")):
            found.update(name.encode() + path.read_bytes())
    return found.hexdigest()


def load(build, jobs, root=ROOT, stale_will_do=False):
    """The map of the tree as it is, from build/coverage/ or made anew; or that of an earlier tree."""
    kept, mark = build / "coverage" / "map.json", fingerprint(root)
    if kept.exists():
        known = json.loads(kept.read_text())
        found = Coverage(known["tests"], known["lines"])
        if known["fingerprint"] == mark:
            return found
        if stale_will_do:
            return found.of_tests_in(build / "host")
    elif stale_will_do:
        return Coverage([], {})
    began = time.monotonic()
    measured = measure(build, jobs, root)
    kept.write_text(json.dumps({"fingerprint": mark, "tests": measured.tests,
                                "lines": measured.lines}))
    print(f"coverage: {len(measured.tests)} tests, lines of {len(measured.lines)} files "
          f"({time.monotonic() - began:.0f} s)", flush=True)
    return measured


def measure(build, jobs, root):
    host = build / "coverage" / "host"
    _build(build, host, jobs, root)
    tests = [(program, name) for program in programs(host) for name in tests_of(host / program)
             if not SWEEPS.search(name)]
    reader = Reader(host, root)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        measured = list(pool.map(lambda test: reader.measure(*test), tests))
    if failed := [name for (_, name), (_, status, _) in zip(tests, measured) if status]:
        raise FailsAlready(f"Without any change these tests fail already: {', '.join(failed)}")
    lines = {}
    for number, (_, _, executed) in enumerate(measured):
        for file, line, count in executed:
            covering = lines.setdefault(file, {}).setdefault(str(line), [])
            if count and number not in covering[-1:]:
                covering.append(number)
    return Coverage([[*test, seconds] for test, (seconds, _, _) in zip(tests, measured)], lines)


def _build(build, host, jobs, root):
    """The tests' objects are those of the build; all others are compiled with counters, each in a
    section of its own, which a reboot of the kernel leaves alone (tests/sim/kernel_state.ld)."""
    link_tree(build / "host", host)
    for path in host.rglob("*"):
        if path.is_file() and not path.relative_to(host).as_posix().startswith(WITHOUT_COUNTERS):
            path.unlink()
    host_compiler = os.environ.get("HOST_CXX", "g++")
    compiler = os.environ.get("CROSS_COMPILE", "i686-linux-gnu-") + "g++"
    output, worked = make(root, jobs, "host-tests", "WARNINGS=-w",
                          f"BUILD={host.parent.relative_to(root)}",
                          f"HOST_CXX={host_compiler} --coverage -fdata-sections",
                          f"KERNEL_CXX={compiler} --coverage -fdata-sections")
    if not worked:
        raise SystemExit(f"The tests do not build with counters:\n{output}")


class Reader:
    """Runs a test and reads its counters. The same counters of one object are read once."""

    def __init__(self, host, root):
        self.host, self.root = host.resolve(), root.resolve()
        self.known = {}

    def measure(self, program, test):
        """(seconds of processor time, exit status, {(file, line, whether it was executed)})."""
        with tempfile.TemporaryDirectory(dir=self.host.parent) as directory:
            process = subprocess.Popen([self.host / program, f"--gtest_filter={test}"],
                                       cwd=self.root, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL,
                                       env={**os.environ, "GCOV_PREFIX": directory})
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = used.ru_utime + used.ru_stime
            return round(seconds, 3), process.returncode, self._lines(Path(directory))

    def _lines(self, directory):
        counted = {path: (path.name, hashlib.sha256(path.read_bytes()).digest())
                   for path in directory.rglob("*.gcda")}
        unknown = {path: key for path, key in counted.items() if key not in self.known}
        for path in unknown:
            notes = path.with_suffix(".gcno")
            shutil.copyfile("/" / notes.relative_to(directory), notes)
        # Reports are named after the sources, so each folder is read by itself.
        for folder in {path.parent for path in unknown}:
            for name, found in self._read(folder, [p for p in unknown if p.parent == folder]):
                self.known[name] = found
        return set().union(*(self.known[key] for key in counted.values()))

    def _read(self, folder, paths):
        """(key of the counters, {(file, line, whether it was executed)}) of every path."""
        subprocess.run(["gcov", "--json-format", *paths], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for path in paths:
            report = json.loads(gzip.decompress(
                path.with_name(f"{path.stem}.gcov.json.gz").read_bytes()))
            yield ((path.name, hashlib.sha256(path.read_bytes()).digest()),
                   {(name, line["line_number"], line["count"] > 0)
                    for file in report["files"] if (name := self._project(file["file"]))
                    for line in file["lines"]})

    def _project(self, file):
        """A name from the root; None for the libraries'."""
        path = Path(os.path.normpath(self.root / file))
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else None
