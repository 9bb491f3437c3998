#!/usr/bin/python3
"""`make bench`: this kernel and Linux in the same QEMU on the same stick, line by line.

Prints a table with a ratio per line – above 1 this kernel is faster – and writes it to
build/bench/bench.txt; the figures are build/bench/bench.json, the picture build/bench/bench.svg.
BENCH=quick is one pass of everything.
`--profile PHASE` shows in which functions of the kernel the instructions of a phase are spent.

Figures that repeat: commands, TRBs, instructions, and the guest's time under `-icount`. Wall times
vary with the host's load by a fifth; the median of the passes counts.
"""

import argparse
import json
import os
import sys
import time

from measure import cache, phases, picture, report
from measure.functions import Functions
from measure.guests import OUT, PEER, Linux, Replug, build_counter, prepare_peer

ICOUNT = ("-icount", "shift=0")


def note(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def run_all(quick, peer, plugin):
    """{system: {mode: figures}}"""
    workload = os.environ.get("WL") if peer else None
    passes = 1 if quick else 3

    def replug(name, append="", **options):
        return Replug(name, append, workload, **options)
    makers = {"replug": replug,
              "replug hold=0": lambda name, **options: replug(name, "hold=0", **options)}
    if peer:
        makers["linux"] = lambda name, **options: Linux(peer, name, **options)
    results = {}
    for system, make in makers.items():
        name = system.replace(" ", "-")
        results[system] = {}
        note(f"{system}: wall time")
        results[system]["time"] = phases.timed(make(f"{name}-time"), passes)
        note(f"{system}: counting")
        results[system]["count"] = phases.counted(make(f"{name}-count", plugin=plugin, count=True))
        note(f"{system}: -icount")
        results[system]["icount"] = phases.timed(make(f"{name}-icount", arguments=ICOUNT), 1)
    return results


def run_cache(quick, plugin):
    """{policy: {buffers: {what: instructions}}}"""
    return {policy: {buffers: cache.measure_policy(policy, buffers, plugin)
                     for buffers in (cache.BUFFERS[::2] if quick else cache.BUFFERS)}
            for policy in cache.POLICIES}


def profile(phase, append, plugin):
    guest = Replug("profile", append, os.environ.get("WL"), plugin=plugin, count=True)
    phases.load(guest)
    guest.end()
    Functions().print_profile(guest.marks.instructions[phase][0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", default=os.environ.get("BENCH") == "quick")
    parser.add_argument("--profile", metavar="PHASE")
    parser.add_argument("--append", default="", help="kernel options, for --profile")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    plugin = build_counter()
    if not plugin:
        note("no plugins in this QEMU: instructions are not counted")
    peer = prepare_peer()
    if not peer:
        note(f"the peer is not there ({PEER}): our own figures only")
    if arguments.profile:
        return profile(arguments.profile, arguments.append, plugin)
    figures = {"systems": run_all(arguments.quick, peer, plugin),
               "cache": run_cache(arguments.quick, plugin) if plugin else {}}
    (OUT / "bench.json").write_text(json.dumps(figures, indent=1), encoding="ascii")
    lines = report.lines_of(figures["systems"])
    text = report.as_text(lines, figures)
    (OUT / "bench.txt").write_text(text, encoding="utf-8")
    print(text)
    picture.draw(lines, OUT / "bench.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
