"""Every mutant applies to the tree as it is; `make mutants` shows that the tests kill them."""

from mutation import patches
from mutation.selections import FailsAlready, any_matches, names_in, parts_without_test
from mutation.workshop import ROOT, Workshop
import pytest

ALL = patches.all_mutants()


def test_there_are_enough():
    assert len(ALL) >= 25


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_the_patch_applies_and_says_what_it_is_for(mutant):
    assert not list(mutant.flaws())


def test_a_patch_that_does_not_apply_is_found(tmp_path):
    patch = tmp_path / "stale.patch"
    patch.write_text("Rule.\nHere: wrong.\nKilled by: x.*\n\n"
                     "diff --git a/Makefile b/Makefile\n--- a/Makefile\n+++ b/Makefile\n"
                     "@@ -1,1 +1,1 @@\n-no such line\n+another\n")
    assert any("patch" in flaw for flaw in patches.Mutant(patch).flaws())


def test_a_part_of_a_head_that_no_test_is_called_is_found(tmp_path):
    patch = tmp_path / "renamed.patch"
    patch.write_text(ALL[0].path.read_text().replace("Killed by: ", "Killed by: renamed_since.*:"))
    assert list(patches.Mutant(patch).flaws()) == ["Killed by: no test is called renamed_since.*"]


SOURCE = """\
TEST(plain, one) {
TEST_P(sweep,
       of_all) {
INSTANTIATE_TEST_SUITE_P(
    of, sweep, ::testing::Values(1, 2));
TEST_P(never_instantiated, x) {
"""


@pytest.mark.parametrize("part, there", [
    ("plain.*", True), ("plain.one", True), ("*", True), ("pl?in.on*", True), ("plain", False),
    ("plain.one_more", False), ("of/sweep.*", True), ("*sweep*", True), ("*/sweep*qemu", True),
    ("of/sweep.of_all/1", True), ("of/sweep.of_all", False), ("of/sweep.of_all/", False),
    ("sweep.*", False), ("of/sweep.of_none/*", False), ("*never*", False)])
def test_a_part_of_a_selection_has_a_test_or_not(tmp_path, part, there):
    (tmp_path / "tests" / "fs").mkdir(parents=True)
    (tmp_path / "tests" / "fs" / "x_test.cc").write_text(SOURCE)
    names = names_in(tmp_path)
    assert names == ["plain.one", "of/sweep.of_all/*"]
    assert parts_without_test(f"{part}:plain.*", names) == ([] if there else [part])


@pytest.mark.parametrize("selection, meant", [
    ("a.x", True), ("a.*", True), ("b.*:a.x", True), ("b.*", False), ("*", True), ("a.y", False),
    ("a.*-a.x", False), ("-b.*", True), ("-a.*", False), ("in/a.x/?", False)])
def test_a_program_is_built_when_a_selection_means_one_of_its_tests(selection, meant):
    assert any_matches(selection, ["a.x"]) == meant


class Shop(Workshop):
    """Builds nothing. The tests of the head pass; one of all tests fails, with a patch or always."""

    def __init__(self, red):
        super().__init__(ROOT, ROOT / "build" / "host")
        self.red, self.good = red, False

    def build(self, _):
        return "", True

    def restore(self, *_):
        self.good = True

    def run_in_all(self, selection, _):
        return "other.test" if selection in ("*", "other.test") and (
            self.red or not self.good) else None


def test_a_test_outside_of_the_head_kills_only_if_it_passes_without_the_patch(monkeypatch):
    monkeypatch.setattr(patches, "apply", lambda *_: "")
    assert patches.Attack([Shop(red=False)], None, False)(ALL[0])[0] == "other.test"
    with pytest.raises(FailsAlready, match="other.test"):
        patches.Attack([Shop(red=True)], None, False)(ALL[0])
