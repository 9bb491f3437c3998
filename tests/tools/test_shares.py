"""tests/run_host_tests: a share runs the tests that it must, and fails when one of them fails.

The program is a stand-in that plays GoogleTest with twenty tests.
"""

import fnmatch
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parent.parent / "run_host_tests"
TESTS = 20
PROGRAM = f"""#!/bin/sh
status=0
n=$GTEST_SHARD_INDEX
while [ $n -lt {TESTS} ]; do
  [ "$n" = "$DIES" ] && exit 3
  echo "pull_points: first doorbell_before 2"
  for floor in $FLOORS; do echo "floor: $floor 2 $LEAST"; done
  if [ "$n" = "$FAILS" ]; then
    status=1
    echo "[  FAILED  ] of/sweep.test/$n, where GetParam() = $n (1 ms)"
  else
    echo "[       OK ] of/sweep.test/$n (1 ms)"
  fi
  n=$((n + GTEST_TOTAL_SHARDS))
done
echo "[==========] some tests from one test suite ran. (1 ms total)"
exit $status
"""


OF_KERNEL_TESTS = [f"n-th_fails_of_{what}_of_a_process"
                   for what in ("pages", "tasks", "files", "descriptors")]


def run_all(program, floors, least=1, shares=1, selection="*"):
    """Runs a program that tells of these floors and of no pull."""
    program.write_text(PROGRAM.replace('  echo "pull_points: first doorbell_before 2"\n', ""))
    program.chmod(0o755)
    return subprocess.run([RUN, program, selection], check=False, text=True, capture_output=True,
                          env={**os.environ, "FLOORS": " ".join(floors), "LEAST": str(least),
                               "GTEST_SHARD_INDEX": "0", "GTEST_TOTAL_SHARDS": str(shares)})


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    program = tmp_path / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)

    def run(share=0, shares=1, selection="some", **trouble):
        """Passed, failed, pulls at doorbells, and the exit status."""
        done = subprocess.run([RUN, program, selection], check=False, text=True,
                              capture_output=True,
                              env={**os.environ, **trouble, "GTEST_SHARD_INDEX": str(share),
                                   "GTEST_TOTAL_SHARDS": str(shares)})
        passed, failed = re.findall(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)[-1]
        pulls = re.findall(r"doorbell_before +(\d+) pulls", done.stdout) or [0]
        return int(passed), int(failed), int(pulls[0]), done.returncode

    return run


@pytest.mark.parametrize("shares", [1, 4, 7])
def test_the_shares_add_up_to_the_whole(run, shares):
    with ThreadPoolExecutor() as pool:  # side by side, over the same program
        outcomes = list(pool.map(lambda share: run(share, shares), range(shares)))
    assert [sum(column) for column in zip(*outcomes)] == [TESTS, 0, 2 * TESTS, 0]


def test_more_shares_than_tests_leave_some_with_nothing_to_do(run):
    assert run(TESTS, TESTS + 1) == (0, 0, 0, 0)


def test_a_failure_fails_its_share_alone(run):
    failing = [run(share, 4, FAILS="6") for share in range(4)]
    assert [outcome[1] for outcome in failing] == [0, 0, 0, 1]
    assert [outcome[3] for outcome in failing] == [0, 0, 0, 1]


def test_a_program_that_dies_fails_its_share(run):
    passed, failed, _, status = run(3, 4, DIES="15")
    assert (failed, status) == (1, 1)
    assert passed < TESTS // 4


@pytest.mark.parametrize("least, status", [(2 * TESTS, 0), (2 * TESTS + 1, 1)])
def test_a_sweep_that_has_shrunk_fails_the_whole(tmp_path, least, status):
    whole = run_all(tmp_path / "kernel_tests", OF_KERNEL_TESTS, least)
    assert whole.returncode == status
    assert f"coverage: n-th fails of tasks of a process: {2 * TESTS}" in whole.stdout
    assert (f"fewer than {least}: n-th fails of tasks" in whole.stdout) == bool(status)
    share = run_all(tmp_path / "kernel_tests", OF_KERNEL_TESTS, least, shares=2)
    assert share.returncode == 0, "a share need not reach it"


def test_a_sweep_that_is_gone_fails_the_whole(tmp_path):
    program, left = tmp_path / "kernel_tests", OF_KERNEL_TESTS[1:]
    whole = run_all(program, left)
    assert whole.returncode == 1
    assert f'no line "floor: {OF_KERNEL_TESTS[0]}": its sweep is gone' in whole.stdout
    assert OF_KERNEL_TESTS[1] not in whole.stdout
    assert run_all(program, left, shares=2).returncode == 0
    assert run_all(program, left, selection="of/*").returncode == 0


def test_a_program_without_any_sweep_fails_the_whole(tmp_path):
    whole = run_all(tmp_path / "replug_tests", [])
    assert whole.returncode == 1
    assert "never pulled at: register_before" in whole.stdout
    assert 'no line "floor: strikes_of_faults": its sweep is gone' in whole.stdout
    assert run_all(tmp_path / "replug_tests", [], selection="of/*").returncode == 0


def test_every_floor_of_the_tests_is_demanded():
    """A name in the sources may hold a %s."""
    listed = re.findall(r"[a-z_-]+", RUN.read_text())
    told = {name for path in RUN.parent.rglob("*.cc")
            for name in re.findall(r'"floor: (\S+)', path.read_text())}
    assert len(told) >= 4
    assert [name for name in told if not fnmatch.filter(listed, name.replace("%s", "*"))] == []


def test_whoever_runs_everything_must_have_hit_every_kind(run):
    assert run(selection="*sweep*:*second_pull*")[1::2] == (2, 1), "nor has it measured a wait"
    assert run(selection="*")[1::2] == (3, 1), "nor does it tell of the other sweeps"
    assert run(0, 4, selection="*")[1::2] == (0, 0)
