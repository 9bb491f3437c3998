"""Short lives of `make soak` (tools/soaking/): random calls on two sticks and on the RAM disk, while the
sticks are pulled again and again."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from soaking import life, media

SECONDS = 20
PULLS, CALLS_AT_A_STICK, CALLS_AT_THE_RAM_DISK = 20, 100, 1000
TOOLS = Path(__file__).resolve().parents[2] / "tools"


def seed_with(tmp_path, condition):
    return next(seed for seed in range(1, 1000) if condition(life.Life(seed, tmp_path)))


@pytest.mark.parametrize("controller", life.CONTROLLERS)
def test_twenty_seconds_of_random_calls_and_pulls(tmp_path, controller):
    seed = seed_with(tmp_path, lambda one: one.controller == controller and not one.is_cut
                     and media.BAD not in one.media)
    done = life.Life(seed, tmp_path, rounds=1, seconds=SECONDS, least=PULLS).run()
    print(done.line(), done.places, done.calls)
    assert done.pulls.total() >= PULLS
    assert all(of == controller for of, _ in done.pulls)
    assert done.calls[life.RAM_DISK] >= CALLS_AT_THE_RAM_DISK
    for playground in set(life.PLAYGROUNDS) - {life.RAM_DISK}:
        assert done.calls[playground] >= CALLS_AT_A_STICK
    assert done.changes >= 20
    assert done.judged == 4 and done.files >= 6  # both at the round's end, and at the life's
    assert done.audits == 1


@pytest.mark.parametrize("controller", life.CONTROLLERS)
def test_what_an_fsync_has_acknowledged_is_there_when_the_power_is_cut(tmp_path, controller):
    """In a large cache: a small one is written soon also without an fsync."""
    seed = seed_with(tmp_path, lambda one: one.controller == controller and one.is_cut
                     and media.BAD not in one.media and "buffers" not in str(one))
    done = life.Life(seed, tmp_path, rounds=1, seconds=2).run()
    assert done.cuts == 1
    assert done.files >= 1


@pytest.mark.parametrize("medium, failed", [
    (media.WRITES_FAIL, "failed_wr_operations"), (media.FLUSHES_FAIL, "failed_flush_operations"),
    (media.READS_FAIL, "failed_rd_operations")], ids=lambda of: getattr(of, "name", ""))
def test_every_nth_time_it_fails_and_then_it_works(boot, make_stick, medium, failed):
    """As often as it says: an error that stayed in force would fail all that follow."""
    event, n = medium.failing, 3
    guest = boot(make_stick(faults=media.every_nth(event, n)), mounted=False)
    guest.leave_open("its errors never end")
    kind = failed.split("_")[1]

    def stats():
        found = [device["stats"] for device in guest.qmp("query-blockstats")
                 if "/stick/" in device.get("qdev", "")]
        return found[0][failed], found[0][f"{kind}_operations"]

    for turn in range(12):
        guest.sh(f"dd if=/dev/sda of=/dev/null bs=1024 count=1 skip={turn * 64 + 100}")
        guest.sh(f"dd if=/dev/zero of=/dev/sda bs=1024 count=1 seek={turn * 64 + 100}; sync")
    failures, successes = stats()
    assert failures >= 2
    assert successes >= failures


def test_a_stick_is_used_when_the_kernel_has_read_it_since_its_plug(boot, make_stick):
    guest = boot(make_stick())
    assert guest.used()
    guest.pull()
    assert not guest.used()
    guest.plug("stick", 2)
    guest.wait_for(guest.used, "the kernel reads it")


def test_it_prints_what_it_has_done_at_control_c(tmp_path):
    """And no QEMU is left over."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "SEEDS": "", "PULLS": "", "GO_ON": ""}
    with subprocess.Popen([sys.executable, TOOLS / "soak.py", "--jobs", "1"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment) as process:
        while not list(tmp_path.glob("replug-*/stderr")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        text = process.stdout.read()
    assert re.search(r"^stopped; not judged and not counted: 1 lives", text, re.MULTILINE)
    assert re.search(r"^0 lives .*: nothing lost$", text, re.MULTILINE)
    assert process.returncode == 0
    assert not list(tmp_path.iterdir())
