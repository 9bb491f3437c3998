#!/usr/bin/python3
"""Runs the kernel in this terminal: `make run`, `make pull`, `make plug`, `make debug`.

    run.py run [--stick IMAGE] …   the serial console here; Ctrl-] and a letter is for QEMU
    run.py pull | plug             from a second terminal
    run.py debug                   QEMU stopped at its first instruction, gdb attached
    run.py console                 the console of the machine that is debugged
"""

import argparse
import fcntl
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import faults
import minix
import sticks
import vm
from qmp import Qmp, QmpError
from terminal import Keyboard, SwitchedOff, proxy, raw_terminal

CONTROL = vm.BUILD / "run.qmp"
LOCK = vm.BUILD / "run.lock"
EXCEPTIONS = vm.BUILD / "run.log"  # QEMU's: see faults.py
GDB = vm.BUILD / "run.gdb"
CONSOLE = vm.BUILD / "run.console"
CONSOLE_LOCK = vm.BUILD / "run.console.lock"
CONSOLE_LOG = vm.BUILD / "console.log"


class Lost(Exception):
    """A triple fault."""


@contextmanager
def the_only_run():
    """One run per build directory. The lock is the kernel's: a killed run leaves nothing stale."""
    vm.BUILD.mkdir(parents=True, exist_ok=True)
    with open(LOCK, "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit("A machine is already running from this build directory. End it with "
                     "`poweroff` or Ctrl-] x in its terminal.")
        CONTROL.unlink(missing_ok=True)
        try:
            yield
        finally:
            CONTROL.unlink(missing_ok=True)


def the_stick(image=None):
    """The stick of `make run`; `make pull` and `make plug` in another terminal mean the same."""
    return vm.Stick(image or sticks_image())


def sticks_image():
    return vm.BUILD / "stick.img"


def prepare_stick(image):
    if image:
        if not image.exists():
            sys.exit(f"{image} does not exist. Without STICK= a stick is made: {sticks_image()}")
        return image
    image = sticks_image()
    if not image.exists():
        vm.BUILD.mkdir(parents=True, exist_ok=True)
        print(f"Making a stick of {sticks.STICK_KIB // 1024} MiB: {image}")
        fresh = image.with_suffix(".new")
        sticks.make_book_stick(fresh)
        fresh.replace(image)
    return image


class Watcher:
    """Deals with a machine that has stopped by itself: switched off, rebooting, or after a triple
    fault."""

    def __init__(self, machine):
        self._machine = machine

    def fileno(self):
        return self._machine.monitor.fileno()

    @staticmethod
    def tick():
        faults.bound(EXCEPTIONS)

    def look(self):
        for event in self._machine.monitor.events():
            if event.get("event") == "SHUTDOWN":
                self._stopped(event["data"]["reason"])

    def _stopped(self, reason):
        if reason != "guest-reset":
            raise SwitchedOff
        lines = faults.report(vm.BUILD / "replug.elf", faults.tail_of(EXCEPTIONS), self._words)
        if not lines:
            return self._machine.boot_again()
        sys.stdout.write("\r\n" + "\r\n".join(lines) + f"\r\n  (more in {EXCEPTIONS})\r\n")
        sys.stdout.flush()
        raise Lost

    def _words(self, address, count):
        """Words of the guest's memory, as the processor would see it now."""
        dump = self._machine.qmp("human-monitor-command",
                                 command_line=f"x /{count}wx {address:#x}")
        return [int(word, 16) for word in re.findall(r"(?<=\s)0x[0-9a-f]{8}", dump)]


def make_machine(arguments, extra, **more):
    stick = the_stick(prepare_stick(arguments.stick))
    return vm.Machine(sticks=[stick], machine=arguments.machine, memory=arguments.memory,
                      controller=arguments.controller, append=arguments.append,
                      extra=[*extra, *shlex.split(arguments.qemu)], control=CONTROL, **more)


def run(arguments):
    with the_only_run():
        machine = make_machine(arguments, [*faults.OPTIONS, str(EXCEPTIONS)], reboots="ask")
        try:
            machine.start(console=False)
            print(f"The stick is {machine.sticks['stick'].image}.  Ctrl-] p pulls and plugs it, "
                  "Ctrl-] x switches off, Ctrl-] h helps.", flush=True)
            with raw_terminal():
                proxy(machine.serial, Keyboard(machine.serial, machine), Watcher(machine))
            status = machine.wait_end(10)
            sys.stderr.write(machine.stderr())
            return status
        except SwitchedOff:
            return 0
        except Lost:
            return 1
        finally:
            machine.end()


def running_machine():
    try:
        return control()
    except (OSError, QmpError):
        sys.exit("No machine is running here. Start one with `make run` in another terminal.")


def control():
    """The QMP of the running machine, for one use: other programs need it too."""
    return Qmp.connect(CONTROL)


def pull(_):
    qmp = running_machine()
    if not vm.is_plugged(qmp, "stick"):
        sys.exit("The stick is already out; `make plug` plugs it in.")
    vm.pull(qmp, "stick")
    print("The stick is out.")


def plug(arguments):
    qmp = running_machine()
    if vm.is_plugged(qmp, "stick"):
        sys.exit("The stick is already in; `make pull` pulls it.")
    stick = the_stick()
    stick.port = arguments.port
    vm.plug(qmp, stick)
    print(f"The stick is in port {stick.port}.")


GDB_SETTINGS = ["set confirm off", "set pagination off", "set history save off",
                "set debuginfod enabled off", "set print pretty on", "set width 0", "set python print-stack full",
                "set architecture i386", "set disassembly-flavor intel"]


def debug(arguments):
    """gdb gets everything on its command line: no file of the user's is read or written."""
    if not arguments.server and not shutil.which("gdb"):
        sys.exit("gdb is missing; `make doctor` says how to get it")
    with the_only_run(), stopped_machine(arguments) as machine:
        if arguments.server:
            print(f"QEMU waits for a debugger at {GDB}. `make debug-end` ends it.", flush=True)
            return machine.wait_end(None)
        signal.signal(signal.SIGINT, lambda *_: None)  # ^C is gdb's: it stops the kernel
        print(f"QEMU stands before its first instruction; the console goes to {CONSOLE_LOG}.\n"
              "`replug` lists the kernel's own commands. Try: break sys_sync, continue; "
              "or: walk write", flush=True)
        return subprocess.call(gdb_command(arguments.gdb))


@contextmanager
def stopped_machine(arguments):
    """A machine that stands before its first instruction, for a debugger at GDB."""
    for path in (GDB, CONSOLE):
        path.unlink(missing_ok=True)
    machine = make_machine(
        arguments, ["-S", "-chardev", f"socket,id=gdb,path={GDB},server=on,wait=off",
                    "-gdb", "chardev:gdb"], reboots=True,
        serial=f"socket,path={CONSOLE},server=on,wait=off,logfile={CONSOLE_LOG}")
    try:
        machine.start()
        yield machine
    finally:
        machine.end()
        for path in (GDB, CONSOLE):
            path.unlink(missing_ok=True)


def debug_end(_):
    """Ends the machine of `make debug-server`, if there is one."""
    try:
        with control() as qmp:
            qmp.command("quit")
    except (OSError, QmpError):
        pass
    return 0


def gdb_command(commands):
    command = ["gdb", "-nx", "-q"]
    for line in GDB_SETTINGS:
        command += ["-ex", line]
    command += ["-x", str(vm.ROOT / "tools" / "gdb" / "replug.py")]
    for line in [f"target remote {GDB}"] + commands:
        command += ["-ex", line]
    return command + [str(vm.BUILD / "replug.elf")]


def take_console():
    """The serial line of a machine that is being debugged. It has one end only: OSError when there
    is no machine, and BlockingIOError when another program has the line."""
    connection = Line(socket.AF_UNIX)
    connection.lock = open(CONSOLE_LOCK, "w", encoding="ascii")  # pylint: disable=consider-using-with
    try:
        fcntl.flock(connection.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        connection.connect(str(CONSOLE))
    except OSError:
        connection.close()
        raise
    return connection


class Line(socket.socket):
    """A connection and the lock that says that it is taken; both end together."""

    lock = None

    def close(self):
        super().close()
        if self.lock:
            self.lock.close()


def console(_):
    """The console of a machine that `make debug` runs in another terminal."""
    try:
        connection = take_console()
    except BlockingIOError:
        sys.exit("A walk or another `make console` is using the console.")
    except OSError:
        sys.exit("No machine is being debugged here. Start one with `make debug`.")
    print("Ctrl-] x leaves.", flush=True)
    with raw_terminal():
        try:
            proxy(connection, Keyboard(connection))
        except SwitchedOff:
            pass
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in (("run", run), ("debug", debug)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--stick", type=Path, help="image of the stick; else one is made")
        command.add_argument("--append", default="", help="kernel options: buffers=64 …")
        command.add_argument("--machine", default="pc", help="pc or q35")
        command.add_argument("--memory", default="128M")
        command.add_argument("--controller", default="qemu-xhci", help="or nec-usb-xhci")
        command.add_argument("--qemu", default="", help="more options for QEMU")
        command.add_argument("--server", action="store_true",
                             help="debug: do not start gdb, wait for a debugger")
        command.add_argument("--gdb", action="append", default=[], help="a command for gdb")
    commands.add_parser("pull").set_defaults(function=pull)
    commands.add_parser("debug-end").set_defaults(function=debug_end)
    commands.add_parser("console").set_defaults(function=console)
    command = commands.add_parser("plug")
    command.set_defaults(function=plug)
    command.add_argument("--port", type=int, choices=range(1, 9), default=2,
                         help="1-4 SuperSpeed, 5-8 high speed")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(arguments.function(arguments))
    except (vm.VmError, QmpError, minix.MinixError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
