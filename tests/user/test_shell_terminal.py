"""The shell on a terminal: editing, history, jobs, and which job gets ^C."""

import sys
import time

import pytest

pexpect = pytest.importorskip("pexpect")

from root_tree import SHELL  # noqa: E402

UP, DOWN, RIGHT, LEFT = "\033[A", "\033[B", "\033[C", "\033[D"


def control(letter):
    return chr(ord(letter) & 0x1F)


class Terminal:
    def __init__(self, environment, directory):
        self.child = pexpect.spawn(str(SHELL), env=environment, cwd=str(directory), timeout=30,
                                   encoding="utf-8", dimensions=(24, 80))
        self.child.expect("# ")

    def type(self, keys):
        self.child.send(keys)

    def until_prompt(self):
        self.child.expect("\r\n# ")
        return self.child.before

    def run(self, line):
        """What the command printed."""
        self.type(line + "\n")
        return self.until_prompt().replace("\r", "").partition("\n")[2]


@pytest.fixture
def terminal(environment, tmp_path):
    t = Terminal(environment, tmp_path)
    yield t
    t.child.close(force=True)


@pytest.mark.parametrize("keys, result", [
    ("echo abd" + LEFT + "c", "abcd"),
    ("cho x" + control("A") + "e" + control("E") + "y", "xy"),
    ("echo ab\x7fc", "ac"),
    ("echo a b" + control("W") + "c", "a c"),
    ("garbage" + control("U") + "echo a", "a"),
    ("echo abc" + LEFT * 2 + control("K"), "a"),
    ("echo abc" + LEFT * 2 + control("D"), "ac"),
    ("echo abc" + LEFT * 2 + "\033[3~", "ac"),
    ("echo one two" + "\033b\033b" + "zero ", "zero one two"),
    ("echo one two" + "\033[1;5D" + "\033[1;5C" + "x", "one twox"),
    ("echo one" + control("B") + control("F") + "x", "onex"),
    ("cho x" + "\033[1~" + "e" + "\033[4~" + "y", "xy"),
])
def test_editing(terminal, keys, result):
    terminal.type(keys + "\n")
    assert terminal.until_prompt().endswith("\r\n" + result)


def test_history(terminal):
    terminal.run("echo one")
    terminal.run("echo two")
    assert terminal.run(UP + UP).endswith("one")
    assert terminal.run(UP + UP + UP + DOWN).endswith("two")
    assert terminal.run("echo new" + UP + DOWN).endswith("new")


def test_long_lines_are_edited(terminal):
    word = "x" * 200
    terminal.type("echo " + word + control("A") + RIGHT * 5 + "y" + control("E") + "z\n")
    assert terminal.until_prompt().endswith("\r\ny" + word + "z")


def test_interrupt_cancels_the_line(terminal):
    terminal.type("echo a" + control("C"))
    assert terminal.until_prompt() == "echo a^C"
    terminal.type("if true\n")
    terminal.child.expect("> ")
    terminal.type(control("C"))
    terminal.until_prompt()
    assert terminal.run("echo b") == "b"


# Says that it runs before it sleeps; the echo of the command line must not look the same.
SLEEPER = "sh -c 'echo run''ning; exec sleep 60'"


def start(terminal, line):
    terminal.type(line + "\n")
    terminal.child.expect("running\r\n")


def told(terminal, what):
    """Whether the shell reports it of a job at one of the next prompts."""
    for _ in range(100):
        if what in terminal.run("true"):
            return True
        time.sleep(0.05)
    return False


def test_interrupt_ends_the_foreground_only(terminal):
    terminal.run("sleep 60 &")
    start(terminal, SLEEPER)
    terminal.type(control("C"))
    terminal.until_prompt()
    assert terminal.run("echo $?") == "130"
    assert "Running" in terminal.run("jobs")
    terminal.run("kill $!")


@pytest.mark.parametrize("body", ["true", "sleep 0.1"])
def test_interrupt_ends_loops(terminal, body):
    start(terminal, f"echo run''ning; while true; do {body}; done")
    terminal.type(control("C"))
    terminal.until_prompt()
    assert terminal.run("echo $?") == "130"


def test_kill_knows_jobs(terminal):
    terminal.run("sleep 60 | cat &")
    assert "Terminated" in terminal.run("kill %1") or told(terminal, "Terminated")


def test_interrupt_ends_a_sourced_file(terminal, tmp_path):
    (tmp_path / "f").write_text(SLEEPER + "\necho went on\n")
    start(terminal, ". ./f")
    terminal.type(control("C"))
    assert "went on" not in terminal.until_prompt()
    assert terminal.run("echo $?") == "130"


def test_stop_and_continue(terminal):
    start(terminal, SLEEPER)
    terminal.type(control("Z"))
    assert "Stopped" in terminal.until_prompt()
    terminal.type("fg\n")
    terminal.child.expect("exec sleep 60'\r\n")
    terminal.type(control("C"))
    terminal.until_prompt()
    assert terminal.run("jobs; echo none") == "none"


def test_finished_jobs_are_told(terminal):
    assert "Done" in terminal.run("true &") or told(terminal, "Done")


# Descriptors 0 to 2 are one open file, which the shell shares with its programs.
NOT_TO_WAIT = (f"{sys.executable} -c 'import fcntl, os; "
               "fcntl.fcntl(2, fcntl.F_SETFL, os.O_RDWR | os.O_NONBLOCK)'")


@pytest.mark.parametrize("end", ["", " & wait"])
def test_a_program_that_will_not_wait_leaves_a_shell_that_does(terminal, end):
    terminal.run(NOT_TO_WAIT + end)
    time.sleep(0.2)
    assert terminal.run("echo still he''re").endswith("still here")


def test_a_shell_in_the_background_does_not_take_the_terminal(terminal):
    assert "Stopped" in terminal.run("sh </dev/tty &") or told(terminal, "Stopped")
    terminal.type("fg\n")
    terminal.child.expect("fg\r\nsh\r\n# ")
    assert terminal.run("echo in''ner") == "inner"
    terminal.type("exit\n")
    terminal.until_prompt()
    assert terminal.run("jobs; echo none") == "none"


@pytest.mark.parametrize("leave", ["exit\n", "exec /no''where\n", "set -e; false\n", control("D")])
def test_a_shell_gives_the_terminal_back(terminal, leave):
    terminal.type("sh -c 'sh; read x; echo got \"<$x>\"'\n")
    terminal.until_prompt()
    terminal.type(leave)
    terminal.child.expect("\r\n")
    terminal.type("a line\n")
    terminal.child.expect("(got <a line>)|Stopped")
    assert terminal.child.match.group(1)


def test_end_of_input_leaves(terminal):
    terminal.type(control("D"))
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0
