"""Words for conditions: `break getblk if $program("dd") && $stick(dev)`."""

import gdb
from kernel import enum_name, number, text, variable
from tasks import current


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
        return int(variable("lists", "fs/buffer/buffer_lists.cc")["free_"]["size_"])


class Is(gdb.Function):
    """$is(value, "name"): whether an enumeration's value has this name."""

    def __init__(self):
        super().__init__("is")

    def invoke(self, value, name):
        return enum_name(value) == name.string()


def install():
    for part in (Program, Stick, FreeBuffers, Is):
        part()
