"""The closing audit of a guest (tools/audit.py) sees what was left behind."""

import pytest
from audit import counts_of, left_behind

COUNTS = """tasks 19
zombies 0
pages_free 17531
files 3
inodes 10
buffers 0
buffers_locked 0
requests 0
slots 0
slots_promised 0
"""


def with_another(name, by=1):
    counts = counts_of(COUNTS)
    counts[name] += by
    return counts


@pytest.mark.parametrize("name", list(counts_of(COUNTS)))
@pytest.mark.parametrize("by", [-1, 1])
def test_one_more_or_one_less_of_anything_is_seen(name, by):
    found = left_behind(counts_of(COUNTS), with_another(name, by))
    assert len(found) == 1 and found[0].startswith(f"{name}: ")


def test_what_is_the_same_is_not_left_behind():
    assert left_behind(counts_of(COUNTS), counts_of(COUNTS)) == []


def test_a_count_that_is_no_longer_told_is_seen():
    counts = counts_of(COUNTS)
    del counts["requests"]
    assert left_behind(counts_of(COUNTS), counts)


def test_blocks_may_wait_for_a_stick_that_is_absent():
    assert left_behind(counts_of(COUNTS), with_another("slots"), blocks_wait=True) == []


def test_a_mount_uses_two_inodes():
    assert counts_of(COUNTS, mounts=1)["inodes"] == 8


def test_text_without_counts_is_an_error():
    with pytest.raises(AssertionError, match="no counts"):
        counts_of("cat: /dev/counts: no such file")


def test_a_program_that_still_runs_is_seen(boot, make_stick):
    guest = boot(make_stick())
    guest.leave_open("something is left behind deliberately")
    guest.ok("sleep 10000 > /mnt/open &")
    with pytest.raises(AssertionError, match="files: .*inodes: .*pages_free: .*tasks: "):
        guest.audit(patience=1, always=True)


def test_after_its_end_nothing_is_left(boot, make_stick):
    guest = boot(make_stick())
    guest.ok("sleep 10000 > /mnt/open &")
    guest.ok("kill $!")
    guest.audit()
