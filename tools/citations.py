"""What comments and pages refer to must exist: rules, rows, sections, files, names, tests.

    rule 3, rules 5 and 11        the numbered list of docs/checkpoint.md, The rules
    row 14, rows 2 to 4           the numbered table of docs/checkpoint.md, The semantics table
    docs/debugger.md, The story of a block         a page and one of its headings
    fs/buffer/buffer.cc, buffer.cc                 a file, by its whole path or by the end of it
    `fs/file_dev.cc`: `file_write`                 a file and a name that stands in its code
    `sys_write` in `kernel/sys_write.cc`           the same
    the book's add_entry, the book's namei.c       a name of Linux 0.11 that docs/book.md lists
    may_hold                                       a word with an underscore: stands in some code

In a table, what stands under the heading `tests` must be the name of a test. Findings are
(file, line, message).
"""

import posixpath
import re
from functools import lru_cache

import sources

RULES_PAGE = "docs/checkpoint.md"
BOOK_PAGE = "docs/book.md"
CODE = (".h", ".cc", ".c", ".asm", ".py", ".mk", "Makefile", ".sh", ".ld", ".table")

NUMBERS = r"(\d+(?:(?:,|\s+and|\s+to|\s+or)\s+\d+)*)\b"
RULE = re.compile(rf"\b[Rr]ules?\s+{NUMBERS}")
ROW = re.compile(rf"\b[Rr]ows?\s+{NUMBERS}")
PATH = r"(?:[\w.-]+/)*[\w-][\w.-]*\.(?:h|cc|c|s|asm|py|md|mk|sh|ld|table|json|svg|patch)"
FILE = re.compile(rf"(?<![\w/.{{}}<*$~-])({PATH})(?![\w/(*{{-]|\.\w)")
FILES = re.compile(r"((?:[\w.-]+/)*[\w-]+)\.\{(\w+(?:,\w+)+)\}")
HEADING = re.compile(rf"((?:[\w-]+/)*[\w-]+\.md)\)?,\s+(\"[^\"]+\"|[A-Z][^.;:)]*)")
SECTION = re.compile(r"(?:([\w/-]+\.md)\)?,?\s+)?(?:§|\b[Ss]ection )\s?(\d+)")
NAME_OF_FILE = re.compile(rf"`({PATH})`: `([\w:~]+)`|`([\w:~]+)` in `({PATH})`")
BOOKS = re.compile(r"\bbook's\s+`?((?:[\w/]+\.[cs]\b)|\w*_\w+|[A-Z_]{2,})")
WORD = re.compile(r"(?<![\w/.$%-])([a-z]\w*_\w*[a-z0-9])\b(?![/*]|\.[a-z]{1,5}\b(?!\())")
MAP = re.compile(r"\bDESIGN\b")


def findings():
    for name in sources.listed(*sources.COMMENTED):
        for first, text in sources.comment_blocks(name):
            for at, message in found_in(name, text):
                yield name, first + text.count("\n", 0, at), message
    yield from wrong_tests()
    yield from wrong_places()


def found_in(name, text):
    """(position, message) for each reference in a comment that leads nowhere."""
    for check in (numbers, headings, sections, files, names, books, words):
        yield from check(name, text)


def numbers(_, text):
    for pattern, what, known in ((RULE, "rule", rules()), (ROW, "row", rows())):
        for match in pattern.finditer(text):
            for number in re.findall(r"\d+", match.group(1)):
                if int(number) not in known:
                    yield match.start(), f"there is no {what} {number} in {RULES_PAGE}"


def headings(name, text):
    for match in HEADING.finditer(text):
        page = resolve(name, match.group(1))
        said = " ".join(match.group(2).strip('"').split())
        quoted = match.group(2).startswith('"')
        if page and not any(said == heading or not quoted and said.startswith(heading)
                            for heading in headings_of(page)):
            yield match.start(), f"{page} has no heading {said}"


def sections(name, text):
    for match in SECTION.finditer(text):
        page = match.group(1) and resolve(name, match.group(1))
        if match.group(1) is None and "§" not in match.group():
            continue  # a specification's, which is not here
        if not page:
            yield match.start(), f"§{match.group(2)} of which page?"
        elif not any(heading.startswith(f"{match.group(2)}.") for heading in headings_of(page)):
            yield match.start(), f"{page} has no section {match.group(2)}"
    for match in MAP.finditer(text):
        yield match.start(), f"there is no DESIGN here: name docs/design.md or {RULES_PAGE}"


def files(name, text):
    for match in FILE.finditer(text):
        if not resolve(name, match.group(1)):
            yield match.start(), f"there is no file {match.group(1)}"
    for match in FILES.finditer(text):
        for ending in match.group(2).split(","):
            if not resolve(name, f"{match.group(1)}.{ending}"):
                yield match.start(), f"there is no file {match.group(1)}.{ending}"


def names(name, text):
    for match in NAME_OF_FILE.finditer(text):
        path, word = (match.group(1), match.group(2)) if match.group(1) else (
            match.group(4), match.group(3))
        page = resolve(name, path)
        if page and not has_name(page, word):
            yield match.start(), f"{page} has no {word}"


def books(_, text):
    for match in BOOKS.finditer(text):
        if match.group(1) not in book_names():
            yield match.start(), f"{BOOK_PAGE} does not know the book's {match.group(1)}"


def words(_, text):
    for match in WORD.finditer(text):
        word = match.group(1)
        if not {word, word.removesuffix("s")} & (code_words() | book_names()):
            yield match.start(), f"no code has {word}"


def wrong_tests():
    """What stands under `tests` in a table of a page must be a test."""
    for page in sources.listed(".md"):
        for line, row in tables(page):
            for word in re.findall(r"`([^`]+)`", row.get("tests", "")):
                if word not in tests() and not word.endswith(".py"):
                    yield page, line, f"there is no test {word}"


def wrong_places():
    """The book's names must stand where docs/book.md says."""
    for line, row in tables(BOOK_PAGE):
        places = re.findall(r"`([^`]+)`", row.get("here", ""))
        found = [resolve(BOOK_PAGE, place) for place in places]
        for word in re.findall(r"`([^`]+)`", row.get("names", "")):
            if places and not any(place and has_name(place, word) for place in found):
                yield BOOK_PAGE, line, f"{word} is not in {' or '.join(places)}"


# --- what there is -------------------------------------------------------------------------------


def forget():
    """The tree has changed (tests only have more than one)."""
    for cached in (all_names, rules, rows, headings_of, has_name, code_words, book_names, tests):
        cached.cache_clear()


@lru_cache(None)
def all_names():
    return frozenset(sources.listed())


def resolve(name, path):
    """The file that `path` means in a comment of `name`, None if there is none. Placeholders,
    foreign files and what a build makes are taken as they are."""
    stem = posixpath.basename(path).split(".")[0]
    if path in book_names() or path.startswith("build/") or (
            stem.isupper() and stem != "README") or len(stem) == 1:
        return path
    here = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    for candidate in (path, here):
        if candidate in all_names():
            return candidate
    return next((known for known in sorted(all_names()) if known.endswith("/" + path)), None)


def tables(page):
    """(line, {heading: cell}) for each row of each table of a page."""
    if page not in all_names():
        return
    head = None
    for number, line in enumerate(sources.text_of(page).split("\n"), 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = cells
        elif not set(line) <= set("|-: "):
            yield number, dict(zip(head, cells))


@lru_cache(None)
def rules():
    """The numbers of the list under the heading The rules."""
    if RULES_PAGE not in all_names():
        return frozenset()
    text = sources.text_of(RULES_PAGE).partition("\n## The rules\n")[2].split("\n## ")[0]
    return frozenset(int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE))


@lru_cache(None)
def rows():
    return frozenset(int(row["row"]) for _, row in tables(RULES_PAGE) if row.get("row", "").isdigit())


@lru_cache(None)
def headings_of(page):
    if page not in all_names():
        return []
    return [line.lstrip("#").strip() for line in sources.text_of(page).split("\n")
            if line.startswith("#")]


@lru_cache(None)
def has_name(path, name):
    """Whether the file's code (not its comments) has the last part of a qualified name."""
    if path not in all_names():
        return False
    text = sources.text_of(path)
    if path.endswith((".h", ".cc")):
        text = "\n".join(line for _, line in sources.code_lines(text))
    last = name.split("::")[-1]
    return re.search(rf"(?<!\w){re.escape(last)}(?!\w)", text) is not None


@lru_cache(None)
def code_words():
    """Every word of the code of the whole project, the names of files and folders among them."""
    found = set(re.findall(r"\w+", " ".join(all_names())))
    for name in all_names():
        if name.endswith(CODE):
            found |= sources.words_of_code(name)
    return frozenset(found)


@lru_cache(None)
def book_names():
    """Files and names of Linux 0.11 that docs/book.md lists."""
    return frozenset(word for _, row in tables(BOOK_PAGE)
                     for cell in (row.get("the book's file", ""), row.get("names", ""))
                     for word in re.findall(r"`([^`]+)`", cell))


@lru_cache(None)
def tests():
    """suite.name of the host tests, and the names of the tests in Python."""
    found = set()
    for name in sources.listed(".cc"):
        if name.startswith("tests/"):
            found |= {f"{suite}.{test}" for suite, test in re.findall(
                r"^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", sources.text_of(name), re.MULTILINE)}
    for name in sources.listed(".py"):
        if name.startswith("tests/"):
            found |= set(re.findall(r"^def (test_\w+)\(", sources.text_of(name), re.MULTILINE))
    return frozenset(found)
