#!/usr/bin/python3
"""Which test tries each limit of the sources? Compares the constants with the table tests/boundaries.txt.

A limit is a `constexpr` of the rooms below, or of the user programs' headers, whose name is in capitals or
begins or ends as limits do (max_, most_, longest_, nr_, ...; _size, _interval, patience, retries, ...), and a
text field of fixed length (std::array<char, N>).
The table has a line for each:

    fs/a.h A_MAX | tested by: SUITE.TEST, user/tests/calls/boundaries.h:NAME, FILE.py::NAME
    fs/a.h MAGIC | no limit: the reason
    fs/a.h B_MAX | not tried: the reason

Several names may stand in a line; `*` stands for those of a file that no other line names, when none of
them is a limit: MAX_A, LONGEST_A and NR_A need lines of their own. The head of the table says how many limits
must be covered at least (`floor: N`) and how many may be untried at most (`not tried: N`).
"""

import re
import sys

import sources

TABLE = "tests/boundaries.txt"
ROOMS = ("fs/", "drivers/", "kernel/", "mm/", "lib/", "hal/")
USER_HEADERS = "user/include/"
CONSTANT = re.compile(r"\bconstexpr\s+(?P<type>[\w:<>,\s*]+?)\s*\b(?P<rest>[A-Za-z_]\w*\s*[={\[][^;]*);")
LIMIT_NAME = re.compile(r"[A-Z][A-Z0-9_]+|(max|min|most|least|longest|first|last|nr)_\w+|"
                        r"\w+_(segments|trbs|limit|size|interval)|size|HZ|"
                        r"\w*patience\w*|(\w+_)?retries")
# A star does not stand for these: their names say that they are limits.
NEVER_IN_A_STAR = re.compile(r"(MAX|LONGEST|NR)_\w+", re.IGNORECASE)
DECLARED = re.compile(r"([A-Za-z_]\w*)\s*(?:=|\{|\[)")
TEXT_FIELD = re.compile(r"std::array<char, [\w:]+>\s*((?:\w+(?:\{\})?,?\s*)+)[;=]")
CPP_TEST = re.compile(r"^TEST(?:_[PF])?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)


def split_declarators(text):
    """`A = f(1, 2), B = 3` declares A and B."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def limits_of(name):
    """The limit constants and the text fields that a file declares."""
    code = "\n".join(line for _, line in sources.code_lines(sources.text_of(name)))
    found = set()
    for declaration in CONSTANT.finditer(code):
        for part in split_declarators(declaration["rest"]):
            declared = DECLARED.match(part.strip())
            if declared and LIMIT_NAME.fullmatch(declared[1]):
                found.add(declared[1])
    if name.endswith(".h"):
        for fields in TEXT_FIELD.finditer(code):
            found |= set(re.findall(r"\w+", fields[1]))
    return found


def all_limits():
    files = [name for name in sources.listed(".h", ".cc")
             if name.startswith(ROOMS) or name.startswith(USER_HEADERS)]
    return {(name, constant) for name in files for constant in limits_of(name)}


def known_tests():
    """Every name by which the table may call a test."""
    known = set()
    for name in sources.listed(".cc", ".py", ".h"):
        if name.startswith("tests/") and name.endswith(".cc"):
            known |= {f"{suite}.{test}" for suite, test in CPP_TEST.findall(sources.text_of(name))}
        elif name.startswith("tests/") and name.endswith(".py"):
            known |= {f"{name}::{test}" for test in
                      re.findall(r"^def (test_\w+)\(", sources.text_of(name), re.MULTILINE)}
        elif name.startswith("user/tests/"):
            text = sources.text_of(name)
            known |= {f"{name}:{test}" for test in re.findall(r"\bboundary_tests::(\w+)\}", text)
                      if re.search(rf"inline void {test}\(\)", text)}
    return known


def read_table(text):
    """(head, table): {"floor": N, "not tried": N} and {(file, constant): (kind, [tests] or [reason])}."""
    head, table = {}, {}
    for line in text.split("\n"):
        if match := re.fullmatch(r"(floor|not tried): (\d+)", line):
            head[match[1]] = int(match[2])
        elif line and not line.startswith("#"):
            match = re.fullmatch(r"(\S+) ([\w* ]+?) +\| (tested by|no limit|not tried): (\S.*)", line)
            if not match:
                raise ValueError(f"{TABLE}: not understood: {line}")
            entry = match[3], match[4].split(", ") if match[3] == "tested by" else [match[4]]
            table |= {(match[1], constant): entry for constant in match[2].split()}
    if head.keys() != {"floor", "not tried"}:
        raise ValueError(f"{TABLE}: its head must say `floor: N` and `not tried: N`")
    return head, table


def wrong_line(limit, entry, limits, tests):
    """What is wrong with a line of the table."""
    (name, constant), (kind, details) = limit, entry
    if constant == "*" and kind != "no limit":
        yield f"{name}: `*` is for constants that are no limits"
    if not any(name == file and constant in ("*", found) for file, found in limits):
        yield f"{name}: {constant} does not exist"
    for test in details if kind == "tested by" else []:
        if test not in tests:
            yield f"{name}: {constant}: no test {test}"


def findings(head, table):
    """What is wrong, a line each."""
    limits, tests = all_limits(), known_tests()
    for name, constant in sorted(limits - table.keys()):
        if (name, "*") not in table or NEVER_IN_A_STAR.fullmatch(constant):
            yield f"{name}: {constant} stands not in {TABLE}"
    for limit, entry in sorted(table.items()):
        yield from wrong_line(limit, entry, limits, tests)
    if count(table, "tested by") < head["floor"]:
        yield f"only {count(table, 'tested by')} limits are covered; the floor is {head['floor']}"
    if count(table, "not tried") > head["not tried"]:
        yield f"{count(table, 'not tried')} limits are not tried; at most {head['not tried']} may be"


def count(table, kind):
    return sum(entry[0] == kind for entry in table.values())


def main():
    head, table = read_table(sources.text_of(TABLE))
    wrong = list(findings(head, table))
    print("\n".join(wrong))
    print(f"coverage: boundaries: {count(table, 'tested by')} limits (at least {head['floor']}), "
          f"{count(table, 'not tried')} not tried")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
