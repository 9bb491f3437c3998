#!/usr/bin/python3
"""`make mutants`: do the tests see a small wrong change? Two kinds of them, each in a copy of the tree.

Patches take one rule away. They stand in tests/mutants/, and the head of each says which rule or guard
it removes, what happens instead, and which tests are expected to notice:

    Rule 3: a shadow is released only when a flush has made its content durable.
    Here: It is released at the good status of the write.
    Killed by: rule_3.*                    (or tests/qemu/FILE.py)

Mechanical changes (tools/mutation/changes.py) are made of every file by themselves; SEED draws N of
them for each room, the kinds in turn. Those that no test can notice are listed in
tests/mutants/equivalent.txt.

    make mutants                           the patches, then a small sample of every room
    make mutants SEED=7 N=100 ROOM=fs      a sample; without ROOM of every room
    make mutants MUTANT=name               one patch, by its name or a part of it
    make mutants MUTANT=fs/bitmap.cc:42:7:dropped:1f3a     one change, as a survivor names it

Killed is a mutant that lets a test fail, hang or panic. Survivors are printed as a diff; then come the
score of each room and the time of the whole. Exit status 0 only if none survived. Without SEED the
commit draws: the sample is not known before the last commit.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from mutation import coverage, last_resorts, mechanical, patches, rooms
from mutation.changes import changes
from mutation.equivalent import Equivalents
from mutation.selections import FailsAlready, NoSuchTest
from mutation.workshop import ROOT, Workshop, make

JOBS = int(os.environ.get("JOBS", os.cpu_count() or 1))
SAMPLE = 10  # of each room in a run of everything


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutant", nargs="?", default=os.environ.get("MUTANT", ""))
    parser.add_argument("--listed", action="store_true", help="patches: only the tests of the head")
    parser.add_argument("--room", default=os.environ.get("ROOM", ""))
    parser.add_argument("--seed", default=os.environ.get("SEED", ""))
    parser.add_argument("-n", type=int, default=int(os.environ.get("N") or 0))
    return parser.parse_args()


def commit():
    done = subprocess.run(["git", "rev-parse", "--short=8", "HEAD"], cwd=ROOT, check=False,
                          text=True, capture_output=True)
    return done.stdout.strip() or "1"


def workshops(build):
    """One for each processor, furnished from a good build."""
    output, built = make(ROOT, JOBS, "all", "host-tests", f"BUILD={build.relative_to(ROOT)}")
    if not built:
        raise SystemExit(f"The tests do not build:\n{output}")
    made = [Workshop(build / "mutants" / str(number), build / "host") for number in range(JOBS)]
    for workshop in made:
        workshop.furnish()
    return made


def failure_without(shop, machine, wanted):
    """The first test that fails although nothing was changed; None if all is well."""
    on_host = [m for m in wanted if not m.in_qemu]
    for mutant in on_host:
        shop.demand_tests(mutant.killers, mutant.name)
    selection = ":".join(sorted({m.killers for m in on_host}))
    failed = on_host and shop.run_in_all(selection, patches.PATIENCE_FOR_ALL)
    in_qemu = sorted({m.killers for m in wanted if m.in_qemu})
    return failed or in_qemu and machine.failure_with(shop, [], in_qemu)


def attack_patches(shops, build, wanted, listed):
    """How many patches survive."""
    machine = last_resorts.Machine(build)
    if failed := failure_without(shops[0], machine, wanted):
        raise SystemExit(f"Without any mutant a test fails already: {failed}")
    survivors = 0
    with ThreadPoolExecutor(len(shops)) as pool:
        attacks = pool.map(patches.Attack(shops, machine, listed), wanted)
        for number, (mutant, (killer, took)) in enumerate(zip(wanted, attacks), 1):
            verdict = f"killed by {killer}" if killer else "SURVIVES"
            print(f"[{number}/{len(wanted)}] {mutant.name}: {verdict} ({took:.0f} s)", flush=True)
            if not killer:
                survivors += 1
                print(f"    {mutant.rule}\n    {mutant.change}", flush=True)
    print(f"{len(wanted)} mutants, {len(wanted) - survivors} killed", flush=True)
    return survivors


def bench(shops, build, stale_will_do=False):
    return mechanical.Bench(shops, rooms.Objects(build / "host"),
                            coverage.load(build, JOBS, stale_will_do=stale_will_do),
                            Equivalents(ROOT), last_resorts.of(build))


def tell(number, outcome):
    change = outcome.change
    print(f"[{number}] {change.file}:{change.line} {change.kind}: {outcome.verdict}"
          f"{' by' if outcome.verdict == mechanical.KILLED else ':'} {outcome.why} "
          f"({outcome.seconds:.0f} s)", flush=True)
    if outcome.verdict == mechanical.SURVIVES:
        print(change.diff((ROOT / change.file).read_text()) +
              f"    make mutants MUTANT={change.name}", flush=True)


def attack_samples(bench_, wanted, seed, count):
    """How many changes survive, or are called equivalent without a right to it."""
    scores = {}
    for room in wanted:
        files = bench_.objects.sources().get(room, [])
        print(f"{room}: {count} of seed {seed} from {len(files)} files", flush=True)
        done = []
        mechanical.sample(bench_, rooms.drawn(room, seed, files, ROOT), count,
                          lambda outcome, done=done: (done.append(outcome),
                                                      tell(len(done), outcome)))
        scores[room] = done
    return sum([score(room, done) for room, done in scores.items()])


def score(room, outcomes):
    count = {verdict: sum(o.verdict == verdict for o in outcomes)
             for verdict in (mechanical.KILLED, mechanical.SURVIVES, mechanical.EQUIVALENT)}
    counted = len(outcomes) - count[mechanical.EQUIVALENT]
    percent = f"{100 * count[mechanical.KILLED] / counted:.0f} %" if counted else "-"
    excess = count[mechanical.EQUIVALENT] * 10 > len(outcomes)
    print(f"score: {room:15} {count[mechanical.KILLED]:4} of {counted:4} killed ({percent}), "
          f"{count[mechanical.EQUIVALENT]} equivalent"
          f"{': more than one in ten' if excess and len(outcomes) >= 30 else ''}")
    return count[mechanical.SURVIVES] + (excess and len(outcomes) >= 30)


def attack_one(shops, build, name):
    file = name.partition(":")[0]
    found = [c for c in changes(file, (ROOT / file).read_text()) if c.name.startswith(name)]
    if not found:
        raise SystemExit(f"No change is called {name}; its line may have moved.")
    table = bench(shops, build, stale_will_do=True)
    outcomes = [table.attempt(change, everything=True) for change in found]
    for number, outcome in enumerate(outcomes, 1):
        tell(number, outcome)
    return sum(o.verdict == mechanical.SURVIVES for o in outcomes)


def main():
    options = arguments()
    began = time.monotonic()
    build = ROOT / os.environ.get("BUILD", "build")
    sampled = bool(options.room or options.seed or options.n)
    if options.room and options.room not in rooms.ROOMS:
        raise SystemExit(f"The rooms are {' '.join(rooms.ROOMS)}.")
    wanted = [] if sampled or ":" in options.mutant else patches.chosen(options.mutant)
    shops = workshops(build)
    survivors = attack_one(shops, build, options.mutant) if ":" in options.mutant else 0
    if wanted:
        survivors += attack_patches(shops, build, wanted, options.listed)
    if sampled or not options.mutant:
        survivors += attack_samples(bench(shops, build),
                                    [options.room] if options.room else rooms.ROOMS,
                                    options.seed or commit(), options.n or SAMPLE)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"mutants: {survivors} survive, {minutes} min {seconds} s on {JOBS} processors")
    return 1 if survivors else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FailsAlready, NoSuchTest) as problem:
        sys.exit(str(problem))
