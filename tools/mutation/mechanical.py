"""The mechanical mutants: a sample of each room, tried on several processors, and the score.

A change is killed when a test fails, hangs or panics. The narrowest tests that execute its line
run first, then all that do (TESTS=N: only the first N; then a survivor may be none). What they do not
notice meets the last resorts (last_resorts.py).
"""

import concurrent.futures
import itertools
import os
import queue
import threading
import time
from pathlib import Path

from mutation.equivalent import same_code
from mutation.selections import FailsAlready
from mutation.workshop import DoesNotLink

FIRST = 15  # tests that run before all others
MOST = int(os.environ.get("TESTS") or 0) or None
ROUND = 5  # seconds, with counters, of those that run together later
MINIMUM_PATIENCE = 20  # seconds of processor time for tests, and
PATIENCE = 5  # times what they take with counters
PATIENCE_FOR_ALL = 900
KILLED, SURVIVES, EQUIVALENT, NO_MUTANT = "killed", "SURVIVES", "equivalent", "does not compile"


def rounds(tests):
    """The narrowest, then groups that do not take long: one that hangs is noticed soon."""
    yield tests[:FIRST]
    group, seconds = [], 0
    for test in tests[FIRST:MOST]:
        group.append(test)
        seconds += test[2]
        if seconds > ROUND:
            yield group
            group, seconds = [], 0
    yield group


class Outcome:
    def __init__(self, change, verdict, why, seconds):
        self.change, self.verdict, self.why, self.seconds = change, verdict, why, seconds


class Bench:
    """Workshops side by side, and what they need to try a change."""

    def __init__(self, workshops, objects, coverage, equivalents, last_resorts=()):
        self.objects, self.coverage, self.equivalents = objects, coverage, equivalents
        self.last_resorts = last_resorts
        self.root = workshops[0].root
        self.workers = len(workshops)
        self._looking = threading.Lock()
        self._last_resorts_pass = False
        self._idle = queue.SimpleQueue()
        for workshop in workshops:
            self._idle.put(workshop)

    def attempt(self, change, everything=False):
        """Outcome of a change. `everything`: after those of its line all other tests run, too (when
        the map is that of an earlier tree)."""
        began = time.monotonic()
        workshop = self._idle.get()
        try:
            verdict, why = self._attempt(workshop, change, everything)
        finally:
            self._idle.put(workshop)
        return Outcome(change, verdict, why, time.monotonic() - began)

    def _attempt(self, workshop, change, everything):
        text = (self.root / change.file).read_text()
        if reason := self.equivalents.reason(change, text):
            return EQUIVALENT, reason
        objects = self.objects.changed_by(change)
        tests = self._tests(change, objects)
        try:
            workshop.write(change.file, change.applied(text))
            if not workshop.compile(objects):
                return NO_MUTANT, ""
            for some in [*rounds(tests), *([None] if everything else [])]:
                if killer := self._run(workshop, some):
                    if everything:  # no map of this tree says that the test passes without a change
                        workshop.restore(change.file)
                        workshop.demand_pass(killer, PATIENCE_FOR_ALL)
                    return KILLED, killer
            if same_code(workshop.tree, change.file, text, change.applied(text)):
                return EQUIVALENT, "the compiler makes the same instructions of both"
            if self.last_resorts and not self._last_resorts_pass:
                workshop.restore(change.file)
                self._look_at_last_resorts(workshop)
                workshop.write(change.file, change.applied(text))
                workshop.compile(objects)
            for last in self.last_resorts:
                if killer := last.kills(workshop, change):
                    return KILLED, killer
        except DoesNotLink:
            return NO_MUTANT, ""
        finally:
            workshop.restore(change.file)
        return SURVIVES, (f"{len(tests)} tests execute it, {len(tests[:MOST])} ran" if tests else
                          "no test on the host executes it")

    def _look_at_last_resorts(self, workshop):
        """They must pass in the good tree before they may kill: looked at once."""
        with self._looking:
            for last in [] if self._last_resorts_pass else self.last_resorts:
                if failed := last.fails(workshop):
                    raise FailsAlready(f"Without any change a last resort fails already: {failed}")
            self._last_resorts_pass = True

    def _tests(self, change, objects):
        """Those that are compiled again with the change, then those that execute its line."""
        sources = [self.root / Path(name.removeprefix("pc/")).with_suffix(".cc") for name in objects]
        own = self.coverage.tests_in([s for s in sources if s.exists() and s.name.endswith("_test.cc")])
        at = self.coverage.tests_at(change.file, change.line, change.in_function)
        return own + [test for test in at if test not in own]

    def _run(self, workshop, tests):
        """The test of these that fails, or None. None for tests: all but the sweeps."""
        if tests is None:
            return workshop.run_in_all("-*sweep*:*second_pull*", PATIENCE_FOR_ALL)
        for program in sorted({test[0] for test in tests}):
            mine = [test for test in tests if test[0] == program]
            patience = MINIMUM_PATIENCE + PATIENCE * sum(test[2] for test in mine)
            if killer := workshop.run(program, ":".join(test[1] for test in mine), patience):
                return killer
        return None


def sample(bench, source, count, told):
    """Tries the first `count` changes of a source that compile; tells each outcome in its order."""
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(bench.workers) as pool:
        while len(outcomes) < count:
            batch = list(itertools.islice(source, count - len(outcomes)))
            if not batch:
                break
            for outcome in pool.map(bench.attempt, batch):
                if outcome.verdict != NO_MUTANT:
                    outcomes.append(outcome)
                    told(outcome)
    return outcomes
