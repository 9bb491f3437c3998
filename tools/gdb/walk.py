"""walk NAME: a prepared program, followed through the kernel from station to station.

The stations are the headings of docs/walks/NAME.md (pages.py): the page is the walk. This file
shows them, and what each has changed.
"""

import difflib
import shutil
import sys
import textwrap

import gdb
from guest import Guest, is_missed, is_plugged, program_of
from kernel import Command, say
from pages import Page, names


def paragraph(text, indent=""):
    """Broken between words, for this terminal."""
    width = shutil.get_terminal_size().columns - 1
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


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
        say(f"{page.title}\n{paragraph(page.text)}\n")
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
        say(paragraph(station.text, "  "))
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
    Walk()