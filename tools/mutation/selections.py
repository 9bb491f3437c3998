"""Selections of tests, as GoogleTest's filters write them: whether each part has a test.

A part without a test kills nothing: its test was renamed, or it was never there.
"""

import functools
import re

TEST = re.compile(r"^TEST(_[FP])?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
INSTANCES = re.compile(r"^INSTANTIATE_TEST_SUITE_P\(\s*(\w+),\s*(\w+),", re.MULTILINE)
ANY_PARAMETER = "*"  # the last part of a name that the sources do not tell


class NoSuchTest(Exception):
    """A selection matches no test, so it says nothing about a change."""


class FailsAlready(Exception):
    """What shall judge a change fails without any, so it says nothing about one."""


def names_in(root):
    """The names of all tests in the sources; of one with parameters PREFIX/SUITE.NAME/*."""
    texts = [path.read_text() for path in sorted((root / "tests").rglob("*.cc"))]
    prefixes = {}
    for text in texts:
        for prefix, suite in INSTANCES.findall(text):
            prefixes.setdefault(suite, []).append(prefix)
    found = []
    for text in texts:
        for kind, suite, name in TEST.findall(text):
            found += [f"{prefix}/{suite}.{name}/{ANY_PARAMETER}" for prefix in prefixes.get(suite, [])
                      ] if kind == "_P" else [f"{suite}.{name}"]
    return found


def parts_without_test(selection, names):
    """The parts of a selection that match none of the names."""
    return [part for part in selection.partition("-")[0].split(":")
            if not any(_matches(part, name) for name in names)]


def any_matches(selection, names):
    """Whether GoogleTest would run any of the tests of these names."""
    wanted, _, unwanted = selection.partition("-")
    return any(_is_meant(wanted or "*", name) and not (unwanted and _is_meant(unwanted, name))
               for name in names)


def _is_meant(parts, name):
    return any(_pattern(part).fullmatch(name) for part in parts.split(":"))


def _matches(part, name):
    if not name.endswith(ANY_PARAMETER):
        return _pattern(part).fullmatch(name) is not None
    # The end of a part may be meant for the parameter, but not the whole of it.
    stem = name.removesuffix(ANY_PARAMETER)
    beginnings = (part[:end] for end in range(1, len(part) + 1)
                  if end < len(part) or part.endswith("*"))
    return part == "*" or any(beginning != "*" and _pattern(beginning).fullmatch(stem)
                              for beginning in beginnings)


@functools.lru_cache(maxsize=None)
def _pattern(part):
    return re.compile(re.escape(part).replace(r"\*", ".*").replace(r"\?", "."))
