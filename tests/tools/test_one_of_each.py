"""What several languages or files must agree on is written in one place: it cannot differ."""

import re
import subprocess

import pytest
import sources

ROOMS = ("boot/", "drivers/", "fs/", "hal/", "kernel/", "lib/", "mm/", "linker.ld", "Makefile")


def places_of(pattern):
    """The files whose code has it, each as often as it does."""
    found = []
    for name in sources.listed(".h", ".cc", ".asm", ".ld", ".mk", "Makefile"):
        if name.startswith(ROOMS):
            comments = sources.comment_lines(name, sources.text_of(name))
            for line, text in enumerate(sources.text_of(name).split("\n"), 1):
                found += [name] * len(re.findall(pattern, text.replace(comments.get(line, "\n"), "")))
    return found


@pytest.mark.parametrize("pattern, place", [
    (r"\bKERNEL_BASE\s*(?:=|\bequ\b)\s*\w", "mm/layout.h"),
    (r"\binterrupt_flag\s*=", "kernel/i386/trap_frame.h"),
    (r"\b1 << 9\b|\b0x0*200\b", "kernel/i386/trap_frame.h"),
])
def test_a_number_of_the_machine_is_written_once(pattern, place):
    assert places_of(pattern) == [place]


def run(*command):
    return subprocess.run(command, cwd=sources.ROOT, check=False, capture_output=True, text=True)


def test_neither_the_first_instructions_nor_the_linker_know_a_base_of_their_own(tmp_path):
    assemble = ["nasm", "-f", "elf32", "-I.", "boot/head.asm", "-o", tmp_path / "head.o"]
    alone = run(*assemble)
    assert alone.returncode != 0 and "`KERNEL_BASE' not defined" in alone.stderr
    assert run(*assemble, "-DKERNEL_BASE=0x80000000").returncode == 0
    linked = run("i686-linux-gnu-ld", "-T", "linker.ld", tmp_path / "head.o", "-o", tmp_path / "kernel")
    assert linked.returncode != 0 and "undefined symbol `KERNEL_BASE'" in linked.stderr
