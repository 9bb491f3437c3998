"""tools/differ.py: how lines are compared. What the lines say is tested in tests/qemu."""

import differ
import pytest


def compare(linux, ours):
    return [(one.step, one.linux, one.ours) for one in differ.Comparison(linux, ours).differences]


def test_equal_lines_do_not_differ():
    assert not compare(["1 open \"a\" = 3", "2 close 3 = 0"], ["1 open \"a\" = 3", "2 close 3 = 0"])


def test_a_difference_is_found_at_its_step():
    assert compare(["1 dup 3 = 4", "2 close 3 = 0"], ["1 dup 3 = 4", "2 close 3 = EBADF"]) == [
        (2, "2 close 3 = 0", "2 close 3 = EBADF")]


def test_a_missing_line_is_a_difference():
    assert compare(["1 a = 0", "1c b = 0"], ["1 a = 0"]) == [(1, "1c b = 0", "1 (nothing)")]
    assert compare([], ["4 a = 0"]) == [(4, "4 (nothing)", "4 a = 0")]


def test_an_allowed_difference_has_its_reason():
    comparison = differ.Comparison(["7 kill NONE -1 = ESRCH"], ["7 kill NONE -1 = EINVAL"])
    assert not comparison.differences
    assert [differ.ALLOWED[index].reason for index in comparison.reasons] == [
        differ.TWO_ERRORS + "no such signal, no such process"]
    # Success in place of an error is not allowed, nor the errors the other way round.
    assert compare(["7 kill NONE 9 = ESRCH"], ["7 kill NONE 9 = 0"])
    assert compare(["7 kill NONE 9 = EINVAL"], ["7 kill NONE 9 = ESRCH"])


def test_a_number_may_be_greater_by_known_flags_only():
    assert not compare(["1 fcntl 5 3 0 = 32769"], ["1 fcntl 5 3 0 = 1"])
    assert compare(["1 fcntl 5 3 0 = 1025"], ["1 fcntl 5 3 0 = 1"])


@pytest.mark.parametrize("linux, ours, allowed", [
    ("40755 links 3 owner 0.0 time 100", "40755 links 3 owner 0.0", True),
    ("42755 links 3 owner 0.0", "40755 links 3 owner 0.0", True),
    ("47755 links 3 owner 0.0 time 100", "45755 links 3 owner 0.0 time 100", True),
    ("42755 links 3 owner 0.0 time 100", "40755 links 3 owner 0.0", True),
    ("40755 links 3 owner 0.0 time 100", "40000 links 77 owner 9.9", False),
    ("40755 links 3 owner 0.0 time 100", "40755 links 3 owner 0.0 time 5", False),
    ("40755 links 3 owner 0.0 time 100", "40754 links 3 owner 0.0", False),
    ("40755 links 3 owner 0.0 time 100", "40755 links 2 owner 0.0", False),
    ("40755 links 3 owner 0.0 time 100", "40755 links 3 owner 0.1", False),
    ("40755 links 3 owner 0.0 time 100", "42755 links 3 owner 0.0", False),
    ("42755 links 3 owner 0.0", "41755 links 3 owner 0.0", False),
    ("42755 links 3 owner 0.0", "40750 links 3 owner 0.0", False),
    ("42755 links 3 owner 0.0", "40755 links 2 owner 0.0", False),
    ("40755 links 3 owner 0.0", "42755 links 3 owner 0.0", False),
    ("42755 links 3 owner 0.0 time 100", "40755 links 4 owner 0.0", False)])
@pytest.mark.parametrize("call", ['stat "d" out', "fstat 5 out"])
def test_of_a_directory_only_the_group_bit_and_the_time_may_differ(call, linux, ours, allowed):
    assert bool(compare([f"5 {call} = 0 mode {linux}"], [f"5 {call} = 0 mode {ours}"])) != allowed


def test_every_reason_is_given():
    assert all(one.reason and one.linux and one.ours for one in differ.ALLOWED)


def test_steps_as_ranges():
    # pylint: disable=protected-access
    assert differ._ranges([1, 2, 3, 7]) == "1-3,7"
    assert differ._ranges([5]) == "5"
    assert differ._ranges([]) == "none"


def test_coverage_that_shrinks_is_told():
    survey = differ.Survey()
    assert "never called" in survey.shrunk(0, 0)
    survey.calls.update(differ.KINDS)
    assert survey.shrunk(len(differ.KINDS), 0) == ""
    assert "fewer" in survey.shrunk(len(differ.KINDS) + 1, 0)
    assert "fewer" in survey.shrunk(0, 1)
