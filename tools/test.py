#!/usr/bin/python3
"""`make test`: every test there is, in one run; the last line is the sum.

The lint, the host tests (GoogleTest), the tests of the tools, and the tests of the real kernel in
QEMU, among them the programs under /test that run inside it. Exit status 0 only if nothing failed.
"""

import importlib.util
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

import lint

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD", "build"))
JOBS = os.cpu_count() or 1
FAILED = []  # what is told again at the end, as thousands of lines stand before it
# What tells of a failure in the output of tests/run_host_tests.
FAILURES = re.compile(r"^(?:\[  FAILED  \] .* ms\)|fewer than .*|no line \"floor.*|never pulled at.*|"
                      r"no wait was measured.*|==\d+==ERROR.*)$", re.MULTILINE)


def make(*goals, **more):
    """Runs make anew: the make that started this program must not share its job slots with it."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    command = ["make", "--no-print-directory", f"-j{JOBS}", f"BUILD={BUILD}", *goals]
    if "CROSS_COMPILE" in os.environ:
        command.append(f"CROSS_COMPILE={os.environ['CROSS_COMPILE']}")
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, **more)


def host_tests():
    """(passed, failed, skipped) of the GoogleTests."""
    if make("host-tests").returncode:
        FAILED.append("the host tests do not build")
        return 0, 1, 0
    result = make("host-test", stdout=subprocess.PIPE, text=True)
    print(result.stdout, end="")
    FAILED.extend(FAILURES.findall(result.stdout))
    summary = re.findall(r"^(\d+) passed, (\d+) failed$", result.stdout, re.MULTILINE)
    if not summary or (result.returncode and summary[-1][1] == "0"):
        return 0, 1, 0
    return sum(int(passed) for passed, _ in summary), sum(int(failed) for _, failed in summary), 0


def python_tests():
    """(passed, failed, skipped) of tests/tools, tests/user and tests/qemu."""
    report = BUILD / "pytest.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--tb=short",
               f"--junitxml={report}", "tests/tools", "tests/user", "tests/qemu"]
    if importlib.util.find_spec("xdist"):
        # One more than processors: many a test waits for the clock of its machine.
        command += ["-n", str(min(JOBS + 1, 8))]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    try:
        suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
        FAILED.extend(f"{case.get('classname')}.{case.get('name')}" for case in suite.iter("testcase")
                      if case.find("failure") is not None or case.find("error") is not None)
        total, failures, errors, skipped = (
            int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped"))
    except (OSError, AttributeError, xml.etree.ElementTree.ParseError):
        return 0, 1, 0
    failed = failures + errors
    return total - failed - skipped, max(failed, int(status != 0)), skipped


def build():
    """The kernel itself counts as one test, so that a tree that does not build fails."""
    if make("all").returncode:
        FAILED.append("the kernel does not build; nothing was tested, as an older one may be there")
        return 0, 1, 0
    return 1, 0, 0


def main():
    began = time.monotonic()
    sums = [0, 0, 0]
    for part in (build, lint.run, host_tests, python_tests):
        sys.stdout.flush()
        sums = [before + more for before, more in zip(sums, part())]
        if part is build and FAILED:
            break
    passed, failed, skipped = sums
    for name in FAILED:
        print(f"failed: {name}")
    print(f"({time.monotonic() - began:.0f} s)")
    if skipped:
        print(f"{skipped} skipped: see above why")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
