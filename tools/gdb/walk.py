"""walk NAME: a prepared program, followed through the kernel from station to station.

The stations are the headings of docs/walks/NAME.md: the page is the walk. What this file knows is
how to read the page, how to drive the machine, and how to tell what a station has changed.
"""

import difflib
import re
import sys
from pathlib import Path

import gdb
from kernel import Command, U32, array, enum_name, number, say, text, variable
from tasks import all_tasks, current, place_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "walks"
sys.path.insert(0, str(ROOT / "tools"))

# pylint: disable=wrong-import-position
import run as machine  # noqa: E402  (the machine that `make debug` runs, and its sockets)
import vm  # noqa: E402


# --- the page ------------------------------------------------------------------------------------

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


# --- the machine ---------------------------------------------------------------------------------

class Guest:
    """The machine that this gdb debugs: its console, its stick. It stands still while we think."""

    def __init__(self):
        self._console = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._console:
            self._console.close()

    def type(self, line):
        say(f"    # {line}")
        if not self._connect():
            say("    (the console is in use: please type that line there)")
            return
        self._console.sendall(line.encode() + b"\n")

    def _connect(self):
        """Takes the serial line, unless `make console` has it."""
        if self._console:
            return True
        try:
            self._console = machine.take_console()
        except OSError:
            return False
        self._console.setblocking(True)
        return True

    def drain(self):
        """Reads what was printed, so that the kernel never waits for us; it is in console.log."""
        if not self._console:
            return
        self._console.setblocking(False)
        try:
            while self._console.recv(65536):
                pass
        except OSError:
            pass
        self._console.setblocking(True)

    @staticmethod
    def pull():
        with machine.control() as qmp:
            vm.pull(qmp, "stick")

    @staticmethod
    def plug(port):
        stick = machine.the_stick()
        stick.port = port
        with machine.control() as qmp:
            vm.plug(qmp, stick)

    # --- running the kernel until something is so ---

    def until(self, *places):
        """Runs to the first of these places ("function if condition"); tells which it was."""
        points = [_Point(place) for place in places]
        try:
            while True:
                gdb.execute("continue", to_string=True)
                self.drain()
                for index, point in enumerate(points):
                    if point.reached:
                        return index
                if not gdb.selected_inferior().pid:
                    raise gdb.GdbError("the machine has ended")
                raise gdb.GdbError("stopped elsewhere: the walk ends here")
        finally:
            for point in points:
                point.delete()

    def finish(self):
        """Runs until the function that we stand in has returned to its caller."""
        frame = gdb.newest_frame()
        while frame.type() == gdb.INLINE_FRAME:
            frame = frame.older()
        caller = frame.older()
        stack = int(caller.read_register("esp")) & U32
        # On this stack: other tasks may come by. A result in memory takes four bytes more off it.
        self.until(f"*{caller.pc():#x} if (unsigned) $esp - {stack}u <= 4")

    def to_prompt(self):
        if not shell_waits():
            self.until(f"schedule if {at_prompt()}")

    def boot(self, options):
        """To the first prompt with the stick mounted; or tells that this kernel will not do."""
        buffers = next((int(option[8:]) for option in options if option.startswith("buffers=")), 0)
        if not is_up():
            self._start(buffers)
        elif buffers and int(variable("nr_buffers", "buffer_table.cc")) > buffers:
            raise gdb.GdbError("this walk needs a small cache: make debug APPEND=buffers="
                               f"{buffers}, or begin with it in a fresh `make debug`")
        if not mounted():
            self.until("checkpoint::mounted if $stick(dev)")
            self.finish()
        # `update` syncs once when it starts: let that be over.
        if any(text(task["comm"]) == "update" and place_of(task) != "sys_pause"
               for task in all_tasks()):
            self.until('sys_pause if $program("update")')
        self.to_prompt()

    def _start(self, buffers):
        if buffers:
            self.until("buffer_init")
            gdb.execute(f"set var buffers = {buffers}")
        self.until("init")

    def run(self, line):
        """A command of the preparation, until its program has ended."""
        self.type(line)
        self.until(f'do_exit if $program("{program_of(line)}")')
        self.to_prompt()


class _Point(gdb.Breakpoint):
    """A place of until(): remembers that it was reached."""

    def __init__(self, place):
        where, _, condition = place.partition(" if ")
        super().__init__(where.strip(), internal=True)
        self.silent = True
        if condition:
            self.condition = condition
        self._hits = self.hit_count

    @property
    def reached(self):
        return self.hit_count > self._hits


def program_of(line):
    return line.split()[0].rpartition("/")[2]


def is_up():
    """Whether the kernel has begun: before, its memory is not mapped."""
    try:
        return int(variable("nr_buffers", "buffer_table.cc")) > 0
    except gdb.MemoryError:
        return False


def mounted():
    return any(number(sb["s_dev"]) >> 8 == 8 and sb["s_ready"]
               for sb in array(variable("super_blocks", "fs/super.cc")))


def is_plugged():
    with machine.control() as qmp:
        return vm.is_plugged(qmp, "stick")


def is_missed():
    """Whether a volume waits for its stick."""
    return any(enum_name(volume["state"]) == "absent"
               for volume in array(variable("checkpoint::volumes")))


def readers_queue():
    return int(variable("tty", "tty.cc")["readers"].address)


def at_prompt():
    return f"(unsigned) current->sleeping_on == {readers_queue()} && $program(\"sh\")"


def shell_waits():
    return any(text(task["comm"]) == "sh" and int(task["sleeping_on"]) == readers_queue()
               for task in all_tasks())


# --- words for conditions ---------------------------------------------------------------------------

class Program(gdb.Function):
    """$program("dd"): whether the current process runs this program."""

    def __init__(self):
        super().__init__("program")

    def invoke(self, name):
        return text(current()["comm"]) == name.string()


class Stick(gdb.Function):
    """$stick(dev): whether a dev_id names a stick or a part of one."""

    def __init__(self):
        super().__init__("stick")

    def invoke(self, dev):
        return number(dev) >> 8 == 8


class FreeBuffers(gdb.Function):
    """$free_buffers(): how long the free list is."""

    def __init__(self):
        super().__init__("free_buffers")

    def invoke(self):
        return int(variable("lists", "fs/buffer_lists.cc")["free_"]["size_"])


class Is(gdb.Function):
    """$is(value, "name"): whether an enumeration's value has this name."""

    def __init__(self):
        super().__init__("is")

    def invoke(self, value, name):
        return enum_name(value) == name.string()


# --- the walk ---------------------------------------------------------------------------------------

class Structures:
    """What the shown commands print, and what has changed since they were shown last."""

    def __init__(self):
        self._last = {}

    LINES = 16  # of each kind, for a structure that has changed much

    def show(self, command):
        output = gdb.execute(command, to_string=True).splitlines()
        before = self._last.get(command)
        if not command.startswith("print"):  # that is of this station alone
            self._last[command] = output
        if before is None:
            say(f"  ({command})")
            for line in output[:2 * self.LINES]:
                say(f"      {line}")
            self._tell_rest(len(output) - 2 * self.LINES)
        elif before == output:
            say(f"  ({command}: as before)")
        else:
            say(f"  ({command}: - before, + after)")
            self._show_difference(before, output)

    def _show_difference(self, before, after):
        shown = {"-": 0, "+": 0}
        for line in list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]:
            if line[0] in shown:
                shown[line[0]] += 1
                if shown[line[0]] <= self.LINES:
                    say(f"    {line[0]} {line[1:]}")
        self._tell_rest(max(shown.values()) - self.LINES)

    @staticmethod
    def _tell_rest(lines):
        if lines > 0:
            say(f"      … and {lines} lines more")

    def show_all(self):
        for command in self._last:
            self.show(command)


class Walk(Command):
    """walk NAME: write, sync, full-cache, unplug or replug: runs a prepared program and stops at every
station of its way through the kernel; says what happens there and shows the structures before and
after. Enter goes on, q ends. The pages are docs/walks/*.md. `walk` alone checks and lists them."""

    def run(self, arguments):
        if len(arguments) != 1:
            return self._list()
        page = Page(arguments[0])
        page.check()
        say(f"{page.title}\n{page.text}\n")
        with Guest() as guest:
            for step in self._steps(page):
                self._step(guest, step)
            self._follow(guest, page)
        return None

    def complete(self, _text, word):
        return [name for name in names() if name.startswith(word)]

    @staticmethod
    def _list():
        for name in names():
            page = Page(name)
            page.check()
            say(f"walk {name:11} {len(page.stations):2} stations  {page.title}")

    @staticmethod
    def _steps(page):
        """The page's steps. When the stick is out already, those of its return begin there."""
        if is_plugged():
            return page.steps
        if not any(step.startswith("plug ") for step in page.steps):
            raise gdb.GdbError("the stick is out: `walk replug` brings it back")
        return [step for step in page.steps if step.startswith("plug ") or
                step == "away" and not is_missed()]

    @staticmethod
    def _step(guest, step):
        """boot [buffers=N] | run COMMAND | type COMMAND | pull | plug PORT | away"""
        word, _, rest = step.partition(" ")
        if word == "boot":
            guest.boot(rest.split())
        elif word == "run":
            guest.run(rest)
        elif word == "type":
            guest.type(rest)
        elif word == "pull":
            say("    (the stick is pulled)")
            guest.pull()
        elif word == "plug":
            say(f"    (the stick is plugged into port {rest})")
            guest.plug(int(rest))
        elif word == "away":
            guest.until("checkpoint::report_missed")
        else:
            raise gdb.GdbError(f"a walk has no step {step}")

    def _follow(self, guest, page):
        structures = Structures()
        typed = [step for step in page.steps if step.startswith("type ")]
        ends = [f'do_exit if $program("{program_of(typed[-1][5:])}")'] if typed else []
        for station in page.stations:
            where = station.place.removeprefix("break ")
            if guest.until(where, *ends) != 0:
                raise gdb.GdbError(f"the program ended before station {station.number}, {where}")
            self._stop(guest, station, len(page.stations), structures)
            if not self._go_on():
                return
        if ends:
            guest.until(*ends)
            guest.to_prompt()
        say("── the end: what the walk has left behind")
        structures.show_all()
        guest.drain()

    @staticmethod
    def _stop(guest, station, total, structures):
        say(f"── {station.number} of {total}: {station.title} ── {station.function}, {station.file}")
        say(f"  {station.text}")
        for command in station.shown:
            structures.show(command)
        if station.finishes:
            guest.finish()
            say("  … and when it has returned:")
            for command in station.shown:
                structures.show(command)
        say()

    @staticmethod
    def _go_on():
        if not sys.stdin.isatty():
            return True
        try:
            return not input("[Enter goes on, q ends] ").strip().startswith("q")
        except (EOFError, KeyboardInterrupt):
            return False


def install():
    for part in (Program, Stick, FreeBuffers, Is, Walk):
        part()
