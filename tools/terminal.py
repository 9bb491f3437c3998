"""The terminal of `make run` and `make console`: keys go to the kernel, but not those of Ctrl-]."""

import os
import select
import sys
import termios
import tty
from contextlib import contextmanager

import vm
from qmp import QmpError

ESCAPE = b"\x1d"  # Ctrl-]
HELP = ("Ctrl-] p  pulls the stick, or plugs it into the next port\r\n"
        "Ctrl-] x  switches the machine off, like the mains plug (`poweroff` is the clean way)\r\n"
        "Ctrl-] h  shows this        Ctrl-] Ctrl-]  types a Ctrl-]\r\n")


class SwitchedOff(Exception):
    """Ctrl-] x, or the kernel's poweroff."""


def say(text):
    """A line of ours between those of the kernel; the terminal may be raw."""
    sys.stdout.write(f"\r\n[{text}]\r\n")
    sys.stdout.flush()


@contextmanager
def raw_terminal():
    """Every key goes to the kernel, ^C too; the terminal is as before afterwards."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def next_port(stick):
    stick.port = stick.port % len(vm.SUPER_SPEED_PORTS) + 1
    return stick.port


def toggle(machine):
    if machine.is_plugged():
        machine.pull()
        say("the stick is pulled; Ctrl-] p plugs it in again")
    else:
        machine.plug(port=next_port(machine.sticks["stick"]))
        say(f"the stick is in port {machine.sticks['stick'].port}")


class Keyboard:
    """Takes our keys out of what is typed and hands on the rest."""

    def __init__(self, serial, machine=None):
        self._serial = serial
        self._machine = machine
        self._escaped = False

    def typed(self, data):
        for key in (data[index:index + 1] for index in range(len(data))):
            if self._escaped:
                self._escaped = False
                self._ours(key)
            elif key == ESCAPE:
                self._escaped = True
            else:
                self._serial.sendall(key)

    def _ours(self, key):
        if key == b"p" and self._machine:
            try:
                toggle(self._machine)
            except QmpError as error:
                say(str(error))
        elif key == b"x":
            raise SwitchedOff
        elif key == ESCAPE:
            self._serial.sendall(key)
        else:
            sys.stdout.write("\r\n" + HELP)
            sys.stdout.flush()


def proxy(serial, keyboard, watcher=None):
    """Passes bytes between this terminal and a serial line until the machine ends."""
    sources = [serial, sys.stdin] + ([watcher] if watcher else [])
    while True:
        if watcher:
            watcher.tick()
        for source in select.select(sources, [], [], 1)[0]:
            if source is watcher:
                watcher.look()
                continue
            data = os.read(source.fileno(), 65536)
            if source is serial:
                if not data:
                    return
                os.write(sys.stdout.fileno(), data)
            elif data:
                keyboard.typed(data)
            else:
                sources.remove(source)  # end of a script on standard input: the machine goes on
