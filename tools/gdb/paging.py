"""pagetable ADDR: how an address is translated."""

import gdb
from kernel import Command, KERNEL_BASE, U32, array, read32, say
from tasks import current, name_of, task_with_pid

FLAGS = {"writable": 1, "user": 2, "write-through": 3, "uncached": 4, "accessed": 5, "dirty": 6}


def flags(entry):
    return " ".join(name for name, bit in FLAGS.items() if entry >> bit & 1)


class PageTable(Command):
    """pagetable ADDRESS [of N]: the entries of the page directory and the page table that translate
an address, and what it is for; in the address space that is active, or in process N's.

ADDRESS is any expression: pagetable 0x400000    pagetable current    pagetable $esp"""

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("pagetable ADDRESS [of N]")
        if len(arguments) > 2 and arguments[-2] == "of":
            directory = self._directory_of(int(arguments[-1]))
            arguments = arguments[:-2]
        else:
            directory = (int(gdb.parse_and_eval("$cr3")) & 0xFFFFF000) + KERNEL_BASE
        address = int(gdb.parse_and_eval(" ".join(arguments)).cast(gdb.lookup_type("unsigned int")))
        self._translate(directory, address & U32)

    @staticmethod
    def _directory_of(pid):
        task = task_with_pid(pid)
        if not int(task["space"]):
            raise gdb.GdbError(f"{name_of(task)} lives in the kernel and has no space of its own")
        return int(task["space"]["directory_"])

    @staticmethod
    def _translate(directory, address):
        index, inner = address >> 22, address >> 12 & 1023
        entry = read32(directory + 4 * index)
        say(f"{address:#010x}: {purpose(address)}")
        say(f"  page directory {directory & U32:#010x} [{index}] = {entry:08x}  "
            f"{flags(entry) if entry & 1 else 'not present'}")
        if not entry & 1:
            return
        if entry & 0x80:
            say(f"  a page of 4 MiB: physical {(entry & 0xFFC00000) | address & 0x3FFFFF:#010x}")
            return
        table = (entry & 0xFFFFF000) + KERNEL_BASE
        page = read32(table + 4 * inner)
        say(f"  page table     {table:#010x} [{inner}] = {page:08x}  "
            f"{flags(page) if page & 1 else 'not present'}")
        if page & 1:
            say(f"  physical {(page & 0xFFFFF000) | address & 0xFFF:#010x}")


def purpose(address):
    if address >= 0xF9000000:
        return "a kernel stack, or the page below one"
    if address >= 0xF8000000:
        return "a window on device registers"
    if address >= KERNEL_BASE:
        return f"the kernel's: physical memory {address - KERNEL_BASE:#010x} in the direct map"
    task = current()
    if not int(task["space"]):
        return "a process's half"
    for area in array(task["space"]["areas_"]):
        start, end = int(area["start"]), int(area["end"])
        if start <= address < end:
            kind = "its stack" if area["grows_down"] else (
                "from its program's file" if int(area["file_size"]) else "zeros at first")
            access = "writable" if area["writable"] else "read-only"
            return f"process {name_of(task)}, area {start:#010x}-{end:#010x}, {access}, {kind}"
    return f"no area of process {name_of(task)}"


def install():
    PageTable()
