"""Triple faults: what QEMU's log says about the exceptions that led there, with source lines.

QEMU writes the log when it is started with `-d int,cpu_reset -D file`. Every exception and interrupt
is an entry with the processor's state; the last ones before "Triple fault" are the story.
"""

import os
import re
import subprocess
from dataclasses import dataclass

OPTIONS = ("-d", "int,cpu_reset", "-D")
TAIL = 128 * 1024       # of the log: more than the last entries take
LIMIT = 64 * 1024 * 1024  # of the log's size: beyond, its beginning is given up

NAMES = {0: "divide error", 1: "debug exception", 2: "non-maskable interrupt", 3: "breakpoint",
         4: "overflow", 5: "bound range exceeded", 6: "invalid opcode", 7: "device not available",
         8: "double fault", 10: "invalid TSS", 11: "segment not present", 12: "stack fault",
         13: "general protection fault", 14: "page fault", 16: "floating-point error",
         17: "alignment check", 18: "machine check"}

# SeaBIOS resets the machine by a triple fault of its own when it is entered a second time.
FIRMWARE = range(0xE0000, 0x100000)

_RAISED = re.compile(r"check_exception old: (0x[0-9a-f]+) new (0x[0-9a-f]+)")
_ENTRY = re.compile(r"^ *\d+: v=(\w+) e=(\w+) i=(\d) cpl=(\d) IP=\w+:(\w+) pc=\w+ SP=\w+:(\w+) (?:"
                    r"CR2|env->regs\[R_EAX\])=(\w+)")


@dataclass
class Event:
    """An exception or interrupt that the processor tried to deliver."""
    vector: int
    error: int
    address: int   # of the instruction
    stack: int
    about: int     # CR2 of a page fault
    hardware: bool

    def __str__(self):
        if self.hardware and self.vector not in NAMES:
            name = f"interrupt {self.vector - 32}" if 32 <= self.vector < 48 else "interrupt"
        else:
            name = NAMES.get(self.vector, "exception")
        text = f"{name} (vector {self.vector}"
        if self.vector in (8, 10, 11, 12, 13, 14, 17):
            text += f", error {self.error:#x}"
        if self.vector == 14:
            text += f", at address {self.about:#010x}"
        return text + ")"


def bound(log):
    """Keeps the log from filling the disk: QEMU goes on writing behind a hole."""
    try:
        status = os.stat(log)
        if status.st_blocks * 512 > LIMIT:
            os.truncate(log, 0)
    except OSError:
        pass


def tail_of(log):
    with open(log, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - TAIL, 0))
        return file.read().decode("latin-1")


def triple_fault(text):
    """The events that led to the triple fault at the end of a log; [] when there was none."""
    before, found, after = text.rpartition("Triple fault")
    if not found or "CPU Reset" in after or "check_exception" in after:
        return []  # none, or one that is history
    story = []
    for line in before.splitlines():
        if entry := _ENTRY.match(line):
            vector, error, software, _, address, stack, about = entry.groups()
            story.append(Event(int(vector, 16), int(error, 16), int(address, 16), int(stack, 16),
                               int(about, 16), software == "0"))
    chain = _last_chain(story)
    return [] if chain and chain[0].address in FIRMWARE else chain


def _last_chain(story):
    """From the event that could not be delivered to the double fault: all at one instruction."""
    chain = []
    for event in reversed(story):
        if chain and event.address != chain[-1].address:
            break
        chain.append(event)
        if len(chain) == 4:
            break
    return chain[::-1]


def final_exception(text):
    """The vector of the exception that was raised last and could not be delivered."""
    raised = _RAISED.findall(text.rpartition("Triple fault")[0])
    return int(raised[-1][1], 16) if raised else None


def source_lines(elf, addresses):
    """For each address "function, file:line", by addr2line."""
    tool = os.environ.get("CROSS_COMPILE", "") + "addr2line"
    for command in (tool, "addr2line", "i686-linux-gnu-addr2line"):
        try:
            output = subprocess.run([command, "-f", "-C", "-s", "-p", "-e", str(elf),
                                     *(f"{address:#x}" for address in addresses)],
                                    capture_output=True, text=True, check=True).stdout
            return [line.replace(" at ", ", ") for line in output.splitlines()]
        except (OSError, subprocess.CalledProcessError):
            continue
    return ["?"] * len(addresses)


def callers(read_words, frame, count=12):
    """Return addresses by frame pointers; read_words(address, n) → words, or [] where none are."""
    while frame >= 0x80000000 and count:
        words = read_words(frame, 2)
        if len(words) < 2 or words[1] < 0x80000000:
            return
        yield words[1]
        if words[0] <= frame:
            return
        frame, count = words[0], count - 1


def report(elf, text, read_words=None):
    """The lines that tell of a triple fault; [] when the log ends in none."""
    story = triple_fault(text)
    if not story:
        return []
    lines = ["The processor gave up: a triple fault. It could not deliver an exception, nor the "
             "double fault after it."]
    places = source_lines(elf, [event.address for event in story])
    for event, place in zip(story, places):
        lines.append(f"  {event}")
        lines.append(f"      at {event.address:#010x}: {place}")
    last = final_exception(text)
    if last is not None:
        lines.append(f"  and then {NAMES.get(last, 'vector ' + str(last))}, which ended it")
    registers = dict(re.findall(r"\b(EIP|EBP|ESP|CR2|CR3)=([0-9a-f]{8})", text.rpartition(
        "Triple fault")[0]))
    idt = re.findall(r"IDT= +(\w+) (\w+)", text.rpartition("Triple fault")[0])
    lines.append("  " + ", ".join(f"{name} {value}" for name, value in registers.items())
                 + (f", IDT at {idt[-1][0]}" if idt else ""))
    if read_words and "EBP" in registers:
        addresses = list(callers(read_words, int(registers["EBP"], 16)))
        lines += [f"  called from {place}" for place in
                  source_lines(elf, [address - 1 for address in addresses])] if addresses else []
    return lines
