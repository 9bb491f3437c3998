#!/usr/bin/python3
"""Holds the sources to the rules of docs/design.md that a program can check: `make lint`.

Layers, no circles of includes, headers that compile alone, machine access only where it belongs,
formatting, no leftovers, short functions, citations, plain words. Prints one line per finding; every
rule counts as one test.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import citations
import sources
from sources import blank, code_lines, comment_blocks, listed, text_of

LAYERS = {"lib": 0, "hal": 1, "mm": 2, "drivers/block": 2, "drivers/char": 2, "drivers/pci": 2,
          "drivers/usb": 3, "fs/checkpoint": 4, "fs/buffer": 5, "fs": 6, "fs/replug": 7, "kernel": 8}
# fs/ knows block and character devices, not what is behind them, fs/checkpoint/ block devices alone;
# storage/ knows USB, not xHCI.
FORBIDDEN = [("fs/", "drivers/usb/"), ("fs/", "drivers/pci/"),
             ("fs/checkpoint/", "drivers/char/"),
             ("drivers/usb/storage/", "drivers/usb/xhci/")]
MACHINE_ROOMS = ("boot/", "kernel/i386/")
MACHINE_WORDS = re.compile(r"\b(asm|__asm__|inb|outb|inw|outw|inl|outl)\b\s*(volatile|\()")
LONGEST_FUNCTION = 70
LONGER_FUNCTIONS = {
    # "NAME.cc:function": why a reader would accept it
}
# "The task that sleeps", not one of these: the actor is named. ("whose" of things is fine.)
PERSONS = re.compile(r"\b(who|whoever|whom|nobody|he|him|his)\b", re.IGNORECASE)
CLANG_FORMAT_MAJOR = 14  # others differ in details
FLAGS = ["-std=c++23", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-m32", "-ffreestanding",
         "-fsyntax-only", "-I", str(sources.ROOT)]


def room_of(name):
    """The longest room that a path stands in, or None (user/, tests/, tools/)."""
    rooms = [room for room in LAYERS if name.startswith(room + "/")]
    return max(rooms, key=len, default=None)


# --- the rules: each yields its findings -----------------------------------------------------


def layers():
    """a file includes only its own folder or a lower layer"""
    for name in listed(".h", ".cc"):
        room = room_of(name)
        if room is None:
            continue
        for number, line in enumerate(text_of(name).split("\n"), 1):
            included = re.match(r'\s*#include "([^"]+)"', line)
            if not included:
                continue
            target = included.group(1)
            if not (sources.ROOT / target).exists():
                yield f"{name}:{number}: {target} is not a path from the project's root"
                continue
            other = room_of(target)
            if other is None:
                yield f"{name}:{number}: {target} is outside the kernel"
            elif other != room and LAYERS[other] >= LAYERS[room]:
                yield f"{name}:{number}: {room} (layer {LAYERS[room]}) includes {target}"
            for here, there in FORBIDDEN:
                if name.startswith(here) and target.startswith(there):
                    yield f"{name}:{number}: {here} must not see {there}"
            if target.startswith("kernel/i386/") and not name.startswith("kernel/i386/"):
                yield f"{name}:{number}: only kernel/i386/ and boot/ know the machine"


def machine_access():
    """assembly and port I/O stand only in boot/ and kernel/i386/"""
    for name in listed(".h", ".cc", ".asm", ".s", ".S"):
        if room_of(name) is None or name.startswith(MACHINE_ROOMS):
            continue
        if not name.endswith((".h", ".cc")):
            yield f"{name}: assembly"
            continue
        for number, line in code_lines(text_of(name)):
            if MACHINE_WORDS.search(line):
                yield f"{name}:{number}: {line.strip()}"


def no_build_switches():
    """one source, two builds: nothing asks which one it is"""
    for name in listed(".h", ".cc"):
        if room_of(name) is None:
            continue
        for number, line in code_lines(text_of(name)):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|define)\b", line) and not re.match(
                    r"\s*#\s*define (TRY|kassert)\b", line):
                yield f"{name}:{number}: {line.strip()}"


def headers_alone():
    """every header compiles by itself"""
    compiler = shlex.split(os.environ.get("CROSS_COMPILE", "i686-linux-gnu-") + "g++")
    headers = [name for name in listed(".h") if room_of(name)]
    with tempfile.TemporaryDirectory() as directory:
        processes = []
        for index, name in enumerate(headers):
            source = Path(directory) / f"{index}.cc"
            # Twice, so that a missing #pragma once is noticed too.
            source.write_text(f'#include "{name}"\n#include "{name}"\n', encoding="ascii")
            processes.append((name, source))
        for name, source in processes:
            result = subprocess.run(compiler + FLAGS + [str(source)], capture_output=True,
                                    text=True, check=False)
            if result.returncode:
                errors = [line for line in result.stderr.splitlines() if "error" in line]
                yield f"{name}: {errors[0] if errors else result.stderr.strip()}"


def formatting():
    """clang-format changes nothing"""
    files = listed(".h", ".cc")
    for start in range(0, len(files), 40):
        result = subprocess.run(["clang-format", "--dry-run", *files[start:start + 40]],
                                cwd=sources.ROOT, capture_output=True, text=True, check=False)
        found = re.findall(r"^(\S+?:\d+):\d+: warning", result.stderr, re.MULTILINE)
        yield from sorted(set(f"{place}: not formatted" for place in found))


def no_leftovers():
    """nothing is left to be done later, no debris of an edit"""
    for name in listed(".orig", ".rej", ".bak", "~"):
        yield f"{name}: left by a tool"
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|^(<<<<<<<|>>>>>>>)")
    for name in listed(".h", ".cc", ".asm", ".py", ".sh", ".mk", ".md"):
        for number, line in enumerate(text_of(name).split("\n"), 1):
            if marks.search(line) and name != "tools/lint.py":
                yield f"{name}:{number}: {line.strip()}"


def functions_of(name):
    """(function, first line, length) by braces: a definition starts in the first column."""
    start, header = None, ""
    for number, line in code_lines(text_of(name)):
        if start is None and line[:1].strip() and not line.startswith(("#", "}", "//")):
            start, header = number, line
        if start is not None and line.startswith(("}", "  }")) and line.startswith("}"):
            words = re.search(r"([~\w:]+)\s*\(", header)
            if words and not header.startswith(("class", "struct", "enum", "namespace", "union")):
                yield words.group(1), start, number - start + 1
            start = None
        elif start is not None and line.endswith(";") and "{" not in header:
            start = None  # a declaration
        elif start is not None and header.startswith(("namespace", "extern \"")):
            start = None
        elif start is not None and "{" not in header:
            header += line


def short_functions():
    """hardly a function is longer than 70 lines"""
    for name in listed(".cc"):
        for function, start, length in functions_of(name):
            if length > LONGEST_FUNCTION and f"{name}:{function}" not in LONGER_FUNCTIONS:
                yield f"{name}:{start}: {function} has {length} lines"


def unit_of(name):
    """X.h and X.cc are one unit."""
    return name.rsplit(".", 1)[0]


def units():
    """{unit: {unit that one of its files includes: "file:line" of the include}} of the kernel."""
    includes = {}
    for name in listed(".h", ".cc"):
        if room_of(name) is None:
            continue
        mine = includes.setdefault(unit_of(name), {})
        for number, line in enumerate(text_of(name).split("\n"), 1):
            included = re.match(r'\s*#include "([^"]+)"', line)
            if included and unit_of(included.group(1)) != unit_of(name):
                mine.setdefault(unit_of(included.group(1)), f"{name}:{number}")
    return includes


def reachable(includes, start):
    """The units that `start` includes, directly or through others."""
    found, waiting = set(), [start]
    while waiting:
        for unit in includes.get(waiting.pop(), ()):
            if unit not in found:
                found.add(unit)
                waiting.append(unit)
    return found


def no_circles():
    """no units include each other in a circle"""
    includes = units()
    reach = {unit: reachable(includes, unit) for unit in includes}
    told = set()
    for unit in sorted(includes):
        if unit in told or unit not in reach[unit]:
            continue
        circle = {unit} | {other for other in reach[unit] if unit in reach.get(other, ())}
        told |= circle
        inside = [f"{place} includes {there}" for here in sorted(circle)
                  for there, place in sorted(includes[here].items()) if there in circle]
        yield f"{', '.join(sorted(circle))}: {'; '.join(inside)}"


def plain_words():
    """comments speak of what acts, not of persons"""
    for name in listed(*sources.COMMENTED):
        for first, text in comment_blocks(name):
            if name.endswith(".md"):
                text = re.sub(r"^```.*?^```|`[^`\n]+`", lambda match: blank(match.group()), text,
                              flags=re.DOTALL | re.MULTILINE)
            for match in PERSONS.finditer(text):
                yield f"{name}:{first + text.count(chr(10), 0, match.start())}: {match.group()}"


def citations_exist():
    """what comments and pages refer to exists"""
    for name, line, message in citations.findings():
        yield f"{name}:{line}: {message}"


RULES = [layers, no_circles, machine_access, no_build_switches, headers_alone, formatting,
         no_leftovers, short_functions, citations_exist, plain_words]


def reason_to_skip(rule):
    if rule is formatting:
        if not shutil.which("clang-format"):
            return "clang-format is missing"
        version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True,
                                 check=False).stdout
        found = re.search(r"version (\d+)", version)
        if not found or int(found.group(1)) != CLANG_FORMAT_MAJOR:
            return f"needs clang-format {CLANG_FORMAT_MAJOR}"
    return None


def run():
    """Checks everything; returns (passed, failed, skipped) in rules."""
    counts = [0, 0, 0]
    for rule in RULES:
        reason = reason_to_skip(rule)
        findings = [] if reason else list(rule())
        counts[2 if reason else 1 if findings else 0] += 1
        verdict = f"skipped ({reason})" if reason else "FAILED" if findings else "ok"
        print(f"lint: {rule.__doc__}: {verdict}")
        for finding in findings:
            print(f"  {finding}")
    return tuple(counts)


if __name__ == "__main__":
    sys.exit(1 if run()[1] else 0)
