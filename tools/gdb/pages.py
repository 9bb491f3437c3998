"""The pages of the walks, docs/walks/*.md: what to prepare, what to do, and the stations.

A page must say what the code says: each station's function is looked up in the kernel's debug
information, so that a page cannot go stale.
"""

import re
from pathlib import Path

import gdb

PAGES = Path(__file__).resolve().parents[2] / "docs" / "walks"


class Station:
    """One heading of a page: ## Title: `function` in `file`, a text, and a block of gdb commands."""

    HEADING = re.compile(r"## (\d+)\. (.+): `(.+)` in `(.+)`$")

    def __init__(self, page, lines):
        found = self.HEADING.match(lines[0])
        if not found:
            raise gdb.GdbError(f"{page}: a station's heading is `## 1. Title: `function` in `file``, "
                               f"not {lines[0]!r}")
        self.number, self.title, self.function, self.file = found.groups()
        commands = _block(lines, "gdb")
        self.place, self.shown, self.finishes = commands[0], [], False
        for command in commands[1:]:
            if command == "finish":
                self.finishes = True
            else:
                self.shown.append(command)
        self.text = _first_paragraph(lines[1:])
        self.page = page

    def location(self):
        """Function and condition of its break line."""
        where, _, condition = self.place.removeprefix("break ").partition(" if ")
        return where.strip(), condition.strip()

    def check(self):
        """The page must say what the code says."""
        where, _ = self.location()
        if where != self.function:
            raise gdb.GdbError(f"{self.page}, station {self.number}: the heading names "
                               f"{self.function}, its break line {where}")
        try:
            places = gdb.decode_line(where)[1]
        except gdb.error as error:
            raise gdb.GdbError(f"{self.page}, station {self.number}: {error}") from error
        files = {file_of(place.pc) for place in places}
        if self.file not in files:
            raise gdb.GdbError(f"{self.page}, station {self.number}: {where} is in "
                               f"{' and '.join(sorted(files))}, not in {self.file}")


def file_of(pc):
    """The file of the function, not of what was inlined there."""
    function = None
    block = gdb.block_for_pc(pc)
    while block and not block.is_static and not block.is_global:
        function = block.function or function
        block = block.superblock
    return function.symtab.filename if function else "?"


def _block(lines, language):
    """The lines of the first ```language block."""
    try:
        start = lines.index(f"```{language}") + 1
        return lines[start:lines.index("```", start)]
    except ValueError:
        return []


def _first_paragraph(lines):
    words = "\n".join(lines).strip().split("\n\n")[0]
    return re.sub(r"\s+", " ", words.replace("`", ""))


class Page:
    """A walk: what to prepare, what to do, and the stations."""

    def __init__(self, name):
        path = PAGES / f"{name}.md"
        if not path.exists():
            raise gdb.GdbError(f"there is no walk {name}: {', '.join(names())}")
        parts = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        head = parts[0].splitlines()
        self.title = head[0].removeprefix("# ")
        self.text = _first_paragraph(head[1:])
        self.steps = _block(head, "walk")
        self.stations = [Station(path.name, part.splitlines()) for part in parts[1:]
                         if Station.HEADING.match(part.splitlines()[0])]

    def check(self):
        for index, station in enumerate(self.stations):
            if int(station.number) != index + 1:
                raise gdb.GdbError(f"{station.page}: station {station.number} is out of order")
            station.check()


def names():
    return sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README")
