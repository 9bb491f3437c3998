"""tools/fuzz.py: what it reads from libFuzzer, and that everything of a target is there."""

import re

import fuzz
import pytest
from mutation.patches import apply

OUTPUT = """INFO: seed corpus: files: 6
#7\tINITED cov: 81 ft: 90 corp: 6/200b exec/s: 0 rss: 30Mb
#2048\tpulse  cov: 95 ft: 130 corp: 9/300b lim: 512 exec/s: 0 rss: 31Mb
#40000\tDONE   cov: 97 ft: 140 corp: 12/400b lim: 512 exec/s: 4000 rss: 31Mb
"""
TARGETS = list(fuzz.RUNS)


def test_inputs_and_edges_are_read():
    outcome = fuzz.Outcome(OUTPUT, 0)
    assert (outcome.runs, outcome.edges, outcome.edges_of_corpus) == (40000, 97, 81)
    assert not outcome.failed


def test_a_status_is_a_finding():
    assert fuzz.Outcome(OUTPUT, 77).failed


def test_output_without_a_run_is_none():
    outcome = fuzz.Outcome("no such target\n", 2)
    assert (outcome.runs, outcome.edges, outcome.failed) == (0, 0, True)


def test_the_targets_are_those_of_the_source():
    source = (fuzz.ROOT / "tests" / "fuzz" / "targets.h").read_text()
    declared = re.search(r"extern const target ([^;]+);", source).group(1)
    assert sorted(re.findall(r"\w+", declared)) == sorted(TARGETS)


def test_a_hundred_million_in_all_and_five_for_each():
    assert sum(fuzz.RUNS.values()) >= 100 * fuzz.MILLION
    assert min(fuzz.RUNS.values()) >= 5 * fuzz.MILLION


@pytest.mark.parametrize("target", TARGETS)
def test_each_has_a_corpus_and_a_planted_bug(target):
    assert len(list((fuzz.CORPUS / target).iterdir())) >= 5
    assert apply(fuzz.PLANTED / f"{target}.patch", fuzz.ROOT, "--check") == ""
