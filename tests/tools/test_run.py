"""tools/run.py on a terminal, with the guest of thirty lines (guest.asm): keys, a second terminal,
what is left behind."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import minix
import pytest
from console import Console

RUN = Path(__file__).resolve().parents[2] / "tools" / "run.py"


class Terminal:
    """The master side of a terminal, with the two calls of a socket that Console uses."""

    def __init__(self, file):
        self.file = file

    def recv(self, size):
        return os.read(self.file, size)

    def sendall(self, data):
        os.write(self.file, data)


@pytest.fixture(name="build")
def build_directory(guest, tmp_path):
    (tmp_path / "replug.elf").write_bytes(guest.read_bytes())
    return tmp_path


def start(build, *arguments):
    """run.py on a terminal of its own: (process, console, terminal)."""
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, RUN, *arguments], stdin=slave, stdout=slave,
                               stderr=slave, env={**os.environ, "BUILD": str(build)})
    return process, Console(Terminal(master)), slave


def once(build, *arguments):
    return subprocess.run([sys.executable, RUN, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env={**os.environ, "BUILD": str(build)},
                          timeout=60, check=False)


def test_keys_and_a_second_terminal(build):
    process, console, terminal = start(build, "run")
    try:
        before = termios.tcgetattr(terminal)
        console.wait_prompt()
        console.send("abc")
        console.expect("abc")
        console.send("\x1dp")
        console.expect("pulled")
        console.send("\x1dp")
        console.expect("port 2")
        assert "already in" in once(build, "plug").stderr
        assert once(build, "pull").returncode == 0
        assert "already out" in once(build, "pull").stderr
        assert once(build, "plug", "--port", "7").returncode == 0
        assert "already running" in once(build, "run").stderr
        console.send("\x1dh")
        console.expect("switches the machine off")
        console.send("\x1dx")
        assert process.wait(20) == 0
        assert termios.tcgetattr(terminal) == before
    finally:
        process.kill()
    assert not minix.fsck(build / "stick.img")
    assert minix.Volume.open(build / "stick.img").exists("/user/user1/user2/hello1.txt")


def test_a_killed_run_leaves_nothing_that_disturbs_the_next(build):
    process, console, _ = start(build, "run")
    console.wait_prompt()
    process.kill()
    process.wait()
    process, console, _ = start(build, "run")
    try:
        console.wait_prompt()
        process.terminate()
        assert process.wait(20) == 143
    finally:
        process.kill()


def test_without_a_machine(build):
    assert "No machine is running" in once(build, "pull").stderr
    assert "does not exist" in once(build, "run", "--stick", "/nowhere.img").stderr


def test_debug_attaches_and_ends(build):
    result = once(build, "debug", "--gdb", "info registers eip", "--gdb", "quit")
    assert "0xfff0" in result.stdout
    assert result.returncode == 0
