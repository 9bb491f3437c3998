"""Every mutant applies to the tree as it is; `make mutants` shows that the tests kill them."""

from mutation import patches
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
