"""tools/console.py against a kernel that is played by the other end of a socket."""

import socket

import pytest
from console import Console, ConsoleError


@pytest.fixture(name="line")
def make_line():
    """(console, the kernel's end)"""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Console(ours), theirs


def test_output_is_what_stands_between_echo_and_prompt(line):
    console, kernel = line
    kernel.sendall(b"# ")
    console.wait_prompt()
    kernel.sendall(b"ls\r\nbin\r\ndev\r\n# ")
    assert console.run("ls") == "bin\ndev\n"


@pytest.mark.parametrize("echo", ["csda: is here\nat x\n", "cat x\n", "ca: at\nat: no\nt x\n",
                                  "sdb\ncat xsda\n", "c# cat x\n", "sd# casda: is here\nt x\n"])
def test_the_kernel_may_cut_an_echo(line, echo):
    console, kernel = line
    kernel.sendall(echo.encode() + b"text\n# ")
    assert console.run("cat x") == "text\n"


def test_the_editors_wrapping_is_not_text(line):
    console, kernel = line
    kernel.sendall(b"echo 12345 \r67\r\n12\x1b[1m34567\r\n# ")
    assert console.run("echo 1234567") == "1234567\n"


def test_what_does_not_come_is_told(line):
    console, kernel = line
    kernel.sendall(b"something else\n")
    with pytest.raises(ConsoleError, match="something else"):
        console.expect("never", timeout=0.1)
    kernel.close()
    with pytest.raises(ConsoleError, match="has ended"):
        console.expect("never")


def test_what_came_since_then(line):
    console, kernel = line
    kernel.sendall(b"before\r\n# ")
    console.wait_prompt()
    since = console.length
    kernel.sendall(b"\x1b[1mheld\x1b[0m\r\n# ")
    console.wait_prompt()
    assert console.text_since(since) == "held\n# "
