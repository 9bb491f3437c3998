"""tools/differ.py: how lines are compared. What the lines say is tested in tests/qemu."""

import differ


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
