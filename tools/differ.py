#!/usr/bin/python3
"""The same random system calls on this kernel and on Linux, compared line by line.

    differ.py                        100 seeds and the fixed list (make calls)
    differ.py --seeds 101-200
    differ.py --linux 7              what Linux says to seed 7
    differ.py --boundaries           the fixed list alone

/test/calls (user/tests/calls.cc) makes the calls and writes a line for each. Its binary runs on a
Linux that has i386 system calls, natively. Every line that differs must stand in ALLOWED, with its
reason. Another difference is shrunk: steps are left out as long as it stays.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import minix
from vm import BUILD, Machine, Stick

PROGRAM = BUILD / "root" / "test" / "calls"
LINUX_PATH_MAX, OUR_PATH_MAX = 4096, 1024
NR_OPEN = 32
MINIX_FILE_MAX = (7 + 512 + 512 * 512) * 1024


def _number(line):
    """The number that a call has answered."""
    answer = re.search(r" = (-?\d+)", line)
    return int(answer.group(1)) if answer else 0


def _without_group_bit(line):
    """The bit 02000 of a directory's mode."""
    return re.sub(r"(?<= mode 4)[2367]", lambda digit: str(int(digit.group()) - 2), line)


def _without_time(line):
    return re.sub(r" time \d+$", "", line)


@dataclass
class Allowed:
    """A difference that is no defect: lines of which call, what each side says, and why."""
    call: str
    linux: str
    ours: str
    reason: str
    more: tuple = ()  # by how much the number that Linux answers may be greater; empty: it is free
    rest: Callable = None  # what it leaves of both lines must be equal; None: nothing must

    def covers(self, linux, ours):
        if self.more and _number(linux) - _number(ours) not in self.more:
            return False
        if self.rest and self.rest(linux) != self.rest(ours):
            return False
        return (re.fullmatch(rf"\d+[cx]? (?:{self.call})(?:{self.linux})", linux) is not None
                and re.fullmatch(rf"\d+[cx]? (?:{self.call})(?:{self.ours})", ours) is not None)


PATH = r'(?:"[^"]*"|(?:d/)?NAME\(..\)|PATH\(..\).|EDGE"\./a"|EDGE"d/\.\."\.\.\.|NULL|KERNEL)'
BAD_PATH = r'(?:""|(?:d/)?NAME\(\+1\)|PATH\(..\).|EDGE"d/\.\."\.\.\.|NULL|KERNEL)'
BAD_MEMORY = r"(?:NULL|KERNEL|TEXT|EDGE-size/2)"
ERROR = r" = E[A-Z0-9]+"
TWO_ERRORS = "two errors in one call, and POSIX (XSH 2.3) leaves open which is told: "
WHOLE_MEMORY = "the whole of a program's memory is looked at before the call begins: "
NO_ETXTBSY = "there is no ETXTBSY: a program's file may be changed while it runs"
NO_REAL_TIME = "the signals 32 to 64 (POSIX real-time signals) are not offered"
GROUP_BIT = "a new directory does not take over the group bit of its parent; POSIX leaves it open"
NEW_TIME = ("a directory that is moved gets a new \"..\", which sets its time; in Linux's tmpfs \"..\" "
            "is no entry")


def two_errors(call, why, linux=ERROR, ours=ERROR):
    return Allowed(call, linux, ours, TWO_ERRORS + why)


# The call is a pattern for the line up to its answer, step and process left out.
ALLOWED = [
    two_errors(rf"link {PATH} {PATH}", "a directory gets no second name", ours=" = EPERM"),
    two_errors(rf"(?:link|rename) {PATH} {BAD_PATH}", "both names are fetched before the first is "
               "looked up", ours=" = (?:EFAULT|ENAMETOOLONG|ENOENT)"),
    two_errors(rf"(?:link|rename) {BAD_PATH} {PATH}", "both names are fetched before the first is "
               "looked up", ours=" = (?:EFAULT|ENAMETOOLONG|ENOENT)"),
    two_errors(rf"rename {PATH} {PATH}", "a file cannot replace a directory, and that directory, "
               "which the file is in, is not empty", linux=" = ENOTEMPTY", ours=" = EISDIR"),
    two_errors(rf"link {PATH} {PATH}", "the names are on two file systems, and the other exists",
               linux=" = EEXIST", ours=" = EXDEV"),
    two_errors(r"sigaction -?\d+ .*", "no such signal, and bad memory", " = EFAULT", " = EINVAL"),
    two_errors(rf"mknod {PATH} \d+ 0", "mknod makes no directory, and the name is wrong"),
    two_errors(r"setpgid \S+ \S+", "no such group, no such process", " = EINVAL", " = ESRCH"),
    two_errors(r"lseek -?\d+ -?\d+ -?\d+", "no such whence, no position", " = EINVAL", " = ESPIPE"),
    two_errors(r"kill \S+ -?\d+", "no such signal, no such process", " = ESRCH", " = EINVAL"),
    two_errors(rf"(?:read|write|fstat|ioctl|getdents|utime|stat|lstat|statfs|getcwd) .*{BAD_MEMORY}.*",
               "bad memory, and something else", ours=" = EFAULT"),
    two_errors(rf"waitpid \S+ {BAD_MEMORY} -?\d+ without children", "bad memory, no child",
               ours=" = EFAULT"),
    Allowed(rf"(?:read|getdents) -?\d+ {BAD_MEMORY} \d+", " = 0(?: memory .*)?", " = EFAULT",
            WHOLE_MEMORY + "also when no byte would go there"),
    Allowed("read (?:zero|file) over the edge|write file over the edge", r" = 10", " = EFAULT",
            WHOLE_MEMORY + "no part is moved"),
    Allowed("read null at the end|read with the greatest count", r" = 0", " = EFAULT",
            WHOLE_MEMORY + "also when no byte would go there"),
    Allowed("open without an access mode", r" = \d+", " = EINVAL",
            "access mode 3 is Linux's own, for ioctl alone"),
    Allowed("open (?:new|file|dir) 10040 1a4", r" = (?:\d+|ENOTDIR|EISDIR)", " = EINVAL",
            "O_CREAT with O_DIRECTORY: EINVAL in Linux since 6.4, various answers before"),
    Allowed("access new", " = 0", " = ENOENT",
            "O_CREAT with O_DIRECTORY made a file in Linux before 6.4"),
    Allowed("fcntl F_GETFL of a directory", " = 65536", " = 0",
            "O_DIRECTORY is no status flag in POSIX; Linux keeps it"),
    Allowed("open SELF WRONLY|execve.*", " = ETXTBSY", ".*", NO_ETXTBSY),
    Allowed(r"fcntl \d+ 3 \d+", r" = \d+", r" = \d+", "a 64-bit Linux gives the files of creat "
            "O_LARGEFILE, and any Linux keeps O_DIRECTORY, which is no status flag in POSIX",
            more=(0x8000, 0x10000, 0x18000)),
    Allowed(rf"(?:stat|lstat) {PATH} \S+|fstat \d+ \S+", " = 0 mode 4[2367].*", " = 0 mode 4[0145].*",
            GROUP_BIT,
            rest=_without_group_bit),
    Allowed(r"lseek \d+ 2147483647 [12]", r" = -\d+", " = EOVERFLOW",
            "a 64-bit Linux lets a 32-bit program go where its off_t cannot follow"),
    Allowed("lseek beyond 2\\^31 - 1", r" = -\d+", " = EOVERFLOW",
            "a 64-bit Linux lets a 32-bit program go where its off_t cannot follow"),
    Allowed("lseek back from there", " = 0", " = EINVAL",
            "follows from the line before: our position has stayed"),
    Allowed(rf"(?:stat|lstat) {PATH} \S+|fstat \d+ \S+", r" = 0 mode 4.* time \d+",
            r" = 0 mode 4\d+ links \d+ owner \S+", NEW_TIME, rest=_without_time),
    Allowed(rf"(?:stat|lstat) {PATH} \S+|fstat \d+ \S+", r" = 0 mode 4[2367].* time \d+",
            r" = 0 mode 4[0145]\d+ links \d+ owner \S+", f"{GROUP_BIT}; and {NEW_TIME}",
            rest=lambda line: _without_time(_without_group_bit(line))),
    Allowed("after truncate to the same", ": the old time", ": a new time",
            "POSIX: truncate sets the time whether or not the length changes"),
    Allowed("waitpid CHILD 0", " = ECHILD status unchanged", " = CHILD exit 3",
            "after EFAULT the child can be waited for again; on Linux its status is lost"),
    Allowed(r"(?:sigaction|kill NONE) (?:32|33|64)(?: read)?", " = (?:0|ESRCH)", " = EINVAL",
            NO_REAL_TIME),
    Allowed(r"signal (?:32|33|64) fails", " = 0", " = 1", NO_REAL_TIME),
    Allowed("the action is", " HANDLER", " DEFAULT",
            "after EFAULT for the old action nothing is set; Linux has set the new one"),
    Allowed("blocked", " 00000200", " 00000000",
            "after EFAULT for the old mask nothing is set; Linux has set the new one"),
    Allowed(r"(?:access|chdir) \.\. 0 0", " = 0", " = ENOENT",
            "a removed directory has no \"..\" (POSIX: rmdir removes it); Linux remembers the parent"),
]


class DifferError(Exception):
    """The comparison could not be made."""


# --- Linux ---------------------------------------------------------------------------------------


def why_no_linux():
    """Why the program cannot run on this machine; None if it can."""
    if not PROGRAM.exists():
        return f"{PROGRAM} is not built (make root-tree)"
    try:
        with tempfile.TemporaryDirectory() as directory:
            lines = run_linux(["1", "1"], Path(directory) / "d")
    except (OSError, subprocess.SubprocessError) as problem:
        return f"this machine does not run i386 programs: {problem}"
    return None if lines else "this machine does not run i386 programs"


def _equal_limits():
    """The limits of a Linux process are set to those of our kernel."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (NR_OPEN, NR_OPEN))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MINIX_FILE_MAX, MINIX_FILE_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _scratch():
    """A file system in memory, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run_linux(arguments, directory, kept=()):
    """The lines that the program writes on Linux. `directory` is made."""
    as_root = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    command = [*as_root, str(PROGRAM.resolve()), *arguments, str(directory), str(LINUX_PATH_MAX), *kept]
    # A session of its own: no signal can reach another process.
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                            timeout=1200, preexec_fn=_equal_limits, start_new_session=True)
    return result.stdout.decode("latin-1").splitlines()


def on_linux(arguments, kept=()):
    with tempfile.TemporaryDirectory(prefix="replug-calls-", dir=_scratch()) as directory:
        return run_linux(arguments, Path(directory) / "d", kept)


# --- our kernel ----------------------------------------------------------------------------------


class Guest:
    """A machine with a stick on which the calls are made, and from which the logs are read."""

    def __init__(self, directory, kib=16384, names=30):
        self._image = Path(directory) / "calls.img"
        minix.Volume.make(self._image, kib, names=names)
        self._machine = Machine(sticks=[Stick(self._image, serial="CALLS")])
        self._runs = 0

    def __enter__(self):
        self._machine.start()
        self._machine.console.wait_prompt()
        self._machine.console.wait_seen("/dev/sda mounted on /mnt")
        return self

    def __exit__(self, *_):
        self._machine.end()

    def run_all(self, runs):
        """The lines of several runs of the program: of each (arguments, kept)."""
        logs = []
        for arguments, kept in runs:
            self._runs += 1
            logs.append(f"log{self._runs}")
            words = [*arguments, "/mnt/d", str(OUR_PATH_MAX), *kept]
            self._command(f"/test/calls {' '.join(words)} > /mnt/{logs[-1]}; rm -rf /mnt/d")
        self._command("sync")
        volume = minix.Volume(self._image.read_bytes())
        lines = [volume.read(f"/{log}").decode("latin-1").splitlines() for log in logs]
        self._command(f"rm {' '.join(f'/mnt/{log}' for log in logs)}")
        return lines

    def run(self, arguments, kept=()):
        return self.run_all([(arguments, kept)])[0]

    def _command(self, text):
        said = self._machine.console.run(text, timeout=1200)
        if "PANIC" in said:
            raise DifferError(said)

    def power_off(self):
        """Ends the machine in order; returns what fsck says of the stick: "" is good."""
        self._machine.console.start("poweroff")
        self._machine.wait_end()
        return minix.fsck(self._image)


# --- comparing -----------------------------------------------------------------------------------


@dataclass
class Difference:
    step: int
    linux: str
    ours: str


class Comparison:
    """What differs between two lists of lines, without what is allowed."""

    def __init__(self, linux, ours):
        self.differences = []
        self.reasons = Counter()
        left, right = _by_step(linux), _by_step(ours)
        for step in sorted(left.keys() | right.keys()):
            self._compare(step, left.get(step, []), right.get(step, []))

    def _compare(self, step, linux, ours):
        for index in range(max(len(linux), len(ours))):
            left = linux[index] if index < len(linux) else f"{step} (nothing)"
            right = ours[index] if index < len(ours) else f"{step} (nothing)"
            if left == right:
                continue
            reason = next((one for one in ALLOWED if one.covers(left, right)), None)
            if reason:
                self.reasons[ALLOWED.index(reason)] += 1
            else:
                self.differences.append(Difference(step, left, right))


def _by_step(lines):
    steps = {}
    for line in lines:
        number = re.match(r"\d+", line)
        steps.setdefault(int(number.group()) if number else -1, []).append(line)
    return steps


def _ranges(steps):
    """[1, 2, 3, 7] as "1-3,7"; nothing as "none"."""
    parts, rest = [], sorted(steps)
    while rest:
        end = 0
        while end + 1 < len(rest) and rest[end + 1] == rest[end] + 1:
            end += 1
        parts.append(f"{rest[0]}-{rest[end]}" if end else str(rest[0]))
        rest = rest[end + 1:]
    return ",".join(parts) or "none"


def shrink(guest, seed, steps):
    """Leaves out steps as long as a difference of the same call stays. Returns the steps kept and
    the comparison."""
    def differs(kept):
        nonlocal last
        arguments, more = [str(seed), str(steps)], [_ranges(kept)]
        comparison = Comparison(on_linux(arguments, more), guest.run(arguments, more))
        found = [one for one in comparison.differences if _call_of(one) == wanted]
        if found:
            last = comparison
        return bool(found)

    arguments = [str(seed), str(steps)]
    last = Comparison(on_linux(arguments), guest.run(arguments))
    if not last.differences:
        return None, last
    first = last.differences[0]
    wanted = _call_of(first)
    kept = list(range(first.step + 16 - first.step % 16))
    if not differs(kept):
        return list(range(steps)), last
    size = max(len(kept) // 2, 1)
    while True:
        start = 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size:]
            if fewer and differs(fewer):
                kept = fewer
            else:
                start += size
        if size == 1:
            return kept, last
        size //= 2


def _call_of(difference):
    """The kind of a difference: the call and both answers, without its arguments."""
    def kind(line):
        words = line.split()
        return words[1] if len(words) > 1 else "", line.partition(" = ")[2].partition(" memory")[0]
    return kind(difference.linux), kind(difference.ours)


# --- what was covered ----------------------------------------------------------------------------

CALLS = re.compile(r"^\d+[cx]? ([a-z_0-9]+)\b.* = ")
# Every call that a random sequence makes by itself; pipes of a step of its own are "write", "read".
KINDS = set("""
    access alarm brk chdir chmod clock_gettime close creat dup dup2 execve fcntl fdatasync fstat fsync
    ftruncate getcwd getdents getpgid ioctl kill link lseek lstat mkdir mknod nanosleep open pipe read
    rename rmdir setpgid setsid sigaction signal sigpending sigprocmask stat statfs time truncate umask
    unlink utime waitpid write""".split())


class Survey:
    """What some runs have shown: differences, reasons of those that are allowed, coverage."""

    def __init__(self):
        self.failures = []  # texts
        self.reasons = Counter()
        self.calls = Counter()
        self.pairs = set()  # (call, result): "ok" or an error
        self.runs = 0

    def add(self, guest, runs):
        """Makes the runs on both sides; a difference of a random sequence is shrunk."""
        with ThreadPoolExecutor(1) as executor:  # both sides at once: much of the time is sleep
            theirs = executor.map(on_linux, runs)
            ours = guest.run_all([(one, ()) for one in runs])
        for arguments, linux, mine in zip(runs, theirs, ours):
            comparison = Comparison(linux, mine)
            self.runs += 1
            self.reasons += comparison.reasons
            self._count(linux)
            if comparison.differences:
                self.failures.append(explain(guest, arguments, comparison))

    def _count(self, lines):
        for line in lines:
            name = CALLS.match(line)
            if not name:
                continue
            self.calls[name.group(1)] += 1
            result = line.rpartition(" = ")[2].split()[0]
            self.pairs.add((name.group(1), result if re.match("E[A-Z]", result) else "ok"))

    def coverage(self):
        by_kind = ", ".join(f"{name} {self.calls[name]}" for name in sorted(KINDS))
        return (f"coverage: differential calls: {self.runs} sequences, {sum(self.calls.values())} calls, "
                f"{len(self.pairs)} pairs of call and result, "
                f"{sum(self.reasons.values())} allowed differences of {len(self.reasons)} kinds\n"
                f"coverage: differential calls: {by_kind}")

    def allowed(self):
        """How often each reason was needed; 0: on this Linux never."""
        by_reason = Counter()
        for index, one in enumerate(ALLOWED):
            by_reason[one.reason] += self.reasons[index]
        return by_reason

    def shrunk(self, calls, pairs):
        """What is missing from a coverage that was reached before; "" if nothing is."""
        missing = sorted(KINDS - self.calls.keys())
        if missing:
            return f"never called: {', '.join(missing)}"
        if sum(self.calls.values()) < calls or len(self.pairs) < pairs:
            return f"fewer than {calls} calls or {pairs} pairs of call and result"
        return ""


def explain(guest, run, comparison):
    """The text of a difference that is not allowed: shrunk, when it is of a random sequence."""
    text = [f"differs: calls {' '.join(run)}: {len(comparison.differences)} lines"]
    differences = comparison.differences
    if run[0] != "boundaries":
        kept, shrunk = shrink(guest, int(run[0]), int(run[1]))
        if kept is not None:
            more = [_ranges(kept)]
            text.append(f"  shrunk: /test/calls {run[0]} {run[1]} /mnt/d {OUR_PATH_MAX} {more[0]}")
            text += ["  Linux says:"] + [f"    {line}" for line in on_linux(run, more)[-20:]]
            differences = shrunk.differences
    text += [f"  Linux:  {one.linux}\n  Replug: {one.ours}" for one in differences[:40]]
    return "\n".join(text)


# --- the whole -----------------------------------------------------------------------------------

BATCH = 10
# What the default run reaches, a little less: another Linux may answer a little otherwise.
WHOLE_CALLS, WHOLE_PAIRS = 50000, 195


def parse_range(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def whole(runs):
    """Half of the runs on a stick with names of 30 characters, half with 14."""
    survey = Survey()
    middle = len(runs) // 2 + 1
    for names, part in ((30, runs[:middle]), (14, runs[middle:])):
        if not part:
            continue
        with tempfile.TemporaryDirectory(prefix="replug-calls-") as directory:
            with Guest(directory, names=names) as guest:
                for start in range(0, len(part), BATCH):
                    told = len(survey.failures)
                    survey.add(guest, part[start:start + BATCH])
                    print("\n".join(survey.failures[told:]), end="\n" * (told < len(survey.failures)),
                          flush=True)
                fsck = guest.power_off()
                if fsck:
                    survey.failures.append(f"the stick is damaged: {fsck}")
                    print(survey.failures[-1])
    return survey


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=parse_range, metavar="N-M", help="these alone, without the list")
    parser.add_argument("--steps", default=400, type=int)
    parser.add_argument("--boundaries", action="store_true", help="the fixed list alone")
    parser.add_argument("--linux", type=int, metavar="SEED", help="shows what Linux says to a seed")
    arguments = parser.parse_args()
    reason = why_no_linux()
    if reason:
        print(f"skipped: {reason}")
        return 0
    if arguments.linux is not None:
        print("\n".join(on_linux([str(arguments.linux), str(arguments.steps)])))
        return 0
    everything = not arguments.seeds and not arguments.boundaries
    seeds = arguments.seeds or (range(1, 101) if everything else ())
    runs = [[str(seed), str(arguments.steps)] for seed in seeds]
    if not arguments.seeds:
        runs.insert(0, ["boundaries"])
    survey = whole(runs)
    print(survey.coverage())
    for reason, count in survey.allowed().items():
        print(f"allowed {count:5} times: {reason}")
    missing = survey.shrunk(WHOLE_CALLS, WHOLE_PAIRS) if everything else ""
    print(missing, end="\n" if missing else "")
    return 1 if survey.failures or missing else 0


if __name__ == "__main__":
    sys.exit(main())
