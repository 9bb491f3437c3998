"""The same random system calls here and on Linux: results, errors and memory are compared line by
line. This is the short form; `make calls` is the whole."""

import differ
import pytest

SEEDS = range(1, 11)
STEPS = 150
CALLS, PAIRS = 4100, 180  # what is reached, a little less


@pytest.fixture(name="linux", scope="module")
def needs_linux():
    reason = differ.why_no_linux()
    if reason:
        pytest.skip(reason)


def test_calls_answer_as_on_linux(linux, tmp_path):  # pylint: disable=unused-argument
    survey = differ.Survey()
    with differ.Guest(tmp_path, names=14) as guest:
        survey.add(guest, [["boundaries"], *([str(seed), str(STEPS)] for seed in SEEDS)])
        fsck = guest.power_off()
    print(survey.coverage())
    assert not survey.failures, "\n".join(survey.failures)
    assert fsck == ""
    assert survey.shrunk(CALLS, PAIRS) == ""


def test_a_difference_is_found_and_shrunk(linux, tmp_path):  # pylint: disable=unused-argument
    """One answer is falsified: the comparison must see it, and leave out what it does not need."""
    class Liar(differ.Guest):
        def run_all(self, runs):
            lines = super().run_all(runs)
            return [[line.replace("= ENOTDIR", "= 0") for line in one] for one in lines]

    with Liar(tmp_path) as guest:
        survey = differ.Survey()
        survey.add(guest, [["3", "100"]])
    assert len(survey.failures) == 1
    assert "ENOTDIR" in survey.failures[0]
    assert "shrunk: /test/calls 3 100 /mnt/d 1024" in survey.failures[0]
