"""`make run` at a triple fault of the kernel: which exceptions led there, with source lines."""

import os
import subprocess
import sys

import faults
import pytest
from console import Console
from vm import BUILD, ROOT


class Pipes:
    """A process's standard streams, with the two calls of a socket that Console uses."""

    def __init__(self, process):
        self._process = process

    def recv(self, size):
        return os.read(self._process.stdout.fileno(), size)

    def sendall(self, data):
        self._process.stdin.write(data)
        self._process.stdin.flush()


@pytest.fixture(name="run")
def running(tmp_path):
    """(process, console, path of a socket for gdb) of a `make run` at its prompt."""
    (tmp_path / "replug.elf").symlink_to((BUILD / "replug.elf").resolve())
    gdb = tmp_path / "gdb"
    process = subprocess.Popen(
        [sys.executable, ROOT / "tools" / "run.py", "run", "--qemu",
         f"-chardev socket,id=gdb,path={gdb},server=on,wait=off -gdb chardev:gdb"],
        env={**os.environ, "BUILD": str(tmp_path)}, cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    console = Console(Pipes(process))
    console.wait_prompt()
    yield process, console, gdb
    process.kill()
    process.wait()


def inject(gdb, *commands):
    """gdb changes something in the running kernel, which then goes on."""
    arguments = ["gdb", "-nx", "-batch", "-ex", "set architecture i386",
                 "-ex", f"target remote {gdb}"]
    for command in (*commands, "detach"):
        arguments += ["-ex", command]
    subprocess.run([*arguments, str(BUILD / "replug.elf")], cwd=ROOT, check=True,
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


def test_a_lost_interrupt_table(run):
    process, console, gdb = run
    inject(gdb, "python table = gdb.lookup_static_symbol('(anonymous namespace)::idt').value()",
           "python gdb.selected_inferior().write_memory(int(table.address), bytes(2048))")
    console.expect("triple fault")
    console.expect(r"interrupt 0 \(vector 32\)|page fault \(vector 14, ")
    console.expect(r"at 0x[0-9a-f]+: \w+.*, \w+\.(cc|h|asm):\d+")
    console.expect("double fault")
    console.expect("more in .*run.log")
    assert process.wait(20) == 1


def test_a_lost_stack_is_told_by_the_kernel(run):
    """No triple fault: a double fault has a stack of its own."""
    process, console, gdb = run
    inject(gdb, "tbreak do_timer", "continue", "set var $esp = 0x1000",
           "set var $eip = &kernel_task")
    console.expect("double fault: esp 00001000, page fault at address 00000ffc")
    console.expect("PANIC: double fault")
    console.expect(r"kernel_task\+0x0")
    assert process.poll() is None, "the machine stands, to be looked at"
    assert "triple" not in console.text


def test_a_reboot_is_none(run):
    process, console, _ = run
    console.start("reboot")
    console.wait_prompt()
    console.start("poweroff")
    assert process.wait(20) == 0
    assert "triple" not in console.text


def test_a_kernel_that_never_gets_going(tmp_path):
    """A reset loop at boot: the interrupt table is used before it is there."""
    broken = bytearray((BUILD / "replug.elf").read_bytes())
    entry = int.from_bytes(broken[24:28], "little")
    headers = int.from_bytes(broken[28:32], "little")
    offset, address = (int.from_bytes(broken[headers + at:headers + at + 4], "little")
                       for at in (4, 8))
    start = entry - address + offset
    broken[start:start + 2] = b"\x0f\x0b"  # ud2
    (tmp_path / "replug.elf").write_bytes(broken)
    result = subprocess.run([sys.executable, ROOT / "tools" / "run.py", "run"], cwd=ROOT,
                            env={**os.environ, "BUILD": str(tmp_path)}, stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "invalid opcode (vector 6)" in result.stdout
    assert "head.asm" in result.stdout


def test_the_log_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "LIMIT", 8192)
    log = tmp_path / "log"
    with open(log, "wb") as writer:  # as QEMU writes: it goes on where it was
        for _ in range(8):
            writer.write(b"x" * 4096)
            writer.flush()
            faults.bound(log)
        writer.write(b"the end")
        writer.flush()
        assert log.stat().st_blocks * 512 <= 4 * 8192
        assert faults.tail_of(log).endswith("the end")


def test_a_log_without_one_tells_nothing(tmp_path):
    log = tmp_path / "log"
    log.write_text("CPU Reset (CPU 0)\n" * 5)
    assert faults.report("none", faults.tail_of(log)) == []


