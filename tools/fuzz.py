#!/usr/bin/python3
"""`make fuzz`: hostile descriptors, status wrappers, SCSI data, partition tables and MINIX images.

    make fuzz                        every target, for as many inputs as the table below says
    make fuzz TARGET=minix_images RUNS=1000000
    make fuzz PLANTED=1              is a bug that was planted in each target found?

Prints for each target the inputs, the edges of the code that they reached, and those of its corpus
(tests/fuzz/corpus) alone. An input that ends in a panic, a hang or an access to memory that is not
the kernel's is kept in build/fuzz, and fails the command; mend it, and add the input to the corpus.
The targets are those of tests/fuzz/targets.h. With JOBS, that many run side by side.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("BUILD", "build") / "fuzz"
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
PLANTED = ROOT / "tests" / "fuzz" / "planted"
JOBS = int(os.environ.get("JOBS", os.cpu_count() or 1))
MILLION = 1_000_000
RUNS = {"descriptors": 40 * MILLION, "scsi_data": 25 * MILLION, "partition_tables": 15 * MILLION,
        "status_wrappers": 15 * MILLION, "minix_images": 5 * MILLION}
LONGEST = {"minix_images": 256, "partition_tables": 1024}  # bytes of an input; else 512
RUNS_OF_A_PLANTED_BUG = 10 * MILLION
SECONDS_PER_INPUT = 10
ASAN_OPTIONS = "detect_leaks=0:quarantine_size_mb=2"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default=os.environ.get("TARGET", ""), choices=["", *RUNS])
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS") or 0))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 1))
    parser.add_argument("--planted", action="store_true", default=bool(os.environ.get("PLANTED")))
    return parser.parse_args()


class Outcome:
    """What libFuzzer has said at the end of its run."""

    def __init__(self, output, status):
        self.output = output
        self.failed = status != 0
        edges = re.findall(r"^#(\d+)\s+\w+ +cov: (\d+)", output, re.MULTILINE)
        loaded = re.search(r"INITED +cov: (\d+)", output)
        self.runs = max((int(number) for number, _ in edges), default=0)
        self.edges = max((int(count) for _, count in edges), default=0)
        self.edges_of_corpus = int(loaded.group(1)) if loaded else 0


def fuzz(target, runs, seed, program=BUILD / "fuzzer", keep=BUILD):
    """Runs the inputs of the corpus and `runs` more. What it finds anew goes to keep/new."""
    found = keep / "new" / target
    found.mkdir(parents=True, exist_ok=True)
    command = [program, f"-runs={runs}", f"-seed={seed}", f"-max_len={LONGEST.get(target, 512)}",
               f"-timeout={SECONDS_PER_INPUT}", "-print_final_stats=1", "-verbosity=1",
               f"-artifact_prefix={keep}/{target}-", found, CORPUS / target]
    done = subprocess.run(command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, errors="replace",
                          env={**os.environ, "REPLUG_FUZZ": target,
                               "ASAN_OPTIONS": ASAN_OPTIONS})
    return Outcome(done.stdout, done.returncode)


def report(target, runs, seed):
    began = time.monotonic()
    outcome = fuzz(target, runs, seed)
    print(f"fuzz: {target:17} {outcome.runs:11,} inputs, {outcome.edges:5} edges "
          f"({outcome.edges_of_corpus} by the corpus), {time.monotonic() - began:.0f} s: "
          f"{'FAILED' if outcome.failed else 'nothing found'}", flush=True)
    if outcome.failed:
        print(outcome.output[-4000:])
    return outcome


def make(tree, *goals):
    return subprocess.run(["make", "--no-print-directory", "-j1", *goals], cwd=tree, check=False,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={name: value for name, value in os.environ.items()
                               if not name.startswith("MAKE") and name != "MFLAGS"})


def planted_is_found(patch):
    """Whether the fuzzer of the target, whose name the patch has, finds the bug."""
    target = patch.stem
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(ROOT, tree, symlinks=True,
                        ignore=lambda path, _: ["build", ".git"] if Path(path) == ROOT else [])
        shutil.copytree(BUILD, tree / "build" / "fuzz", copy_function=os.link,
                        ignore=shutil.ignore_patterns("new"))
        applied = subprocess.run(["git", "apply", patch], cwd=tree, check=False,
                                 env={**os.environ, "GIT_DIR": "/nonexistent"})
        built = make(tree, "fuzzer")
        if applied.returncode or built.returncode:
            raise SystemExit(f"{patch.name}: does not apply or build\n{built.stdout[-2000:]}")
        outcome = fuzz(target, RUNS_OF_A_PLANTED_BUG, 1, tree / "build" / "fuzz" / "fuzzer",
                       Path(directory))
    print(f"fuzz: planted in {target}: {'found' if outcome.failed else 'NOT FOUND'} after "
          f"{outcome.runs:,} inputs", flush=True)
    return outcome.failed


def main():
    options = arguments()
    targets = [options.target] if options.target else list(RUNS)
    with ThreadPoolExecutor(JOBS) as pool:
        if options.planted:
            patches = [PLANTED / f"{target}.patch" for target in targets]
            return 0 if all(list(pool.map(planted_is_found, patches))) else 1
        outcomes = list(pool.map(
            lambda target: report(target, options.runs or RUNS[target], options.seed), targets))
    print(f"fuzz: {sum(outcome.runs for outcome in outcomes):,} inputs, "
          f"{sum(outcome.failed for outcome in outcomes)} targets failed")
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
