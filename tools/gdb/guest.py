"""The machine that this gdb debugs: its console, its stick, and how to run it to a place."""

import sys
from pathlib import Path

import gdb
from kernel import U32, array, enum_name, number, say, text, variable
from tasks import all_tasks, place_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position
import run as machine  # noqa: E402  (the machine that `make debug` runs, and its sockets)
import vm  # noqa: E402


class Guest:
    """The machine. It stands still while gdb has it."""

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
            self.until("read_super if $stick(dev)")
            self.finish()
        # `update` syncs once when it starts: waits until that is over.
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
