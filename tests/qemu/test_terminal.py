"""The terminal: editing a line, ending a file, interrupting, and which processes may read from
it."""

import re


def start(guest, command):
    """Starts a command as one job and waits until that job has the terminal."""
    guest.console.start(f"sh -c 'echo ready; {command}'")
    guest.console.expect("^ready")


def test_a_line_is_edited_before_a_program_sees_it(boot):
    guest = boot()
    start(guest, "cat")
    guest.console.send("wrong\x15abx\x7fc\n")  # ^U, DEL
    guest.console.expect(r"^abc\n")
    guest.console.send("\x04")
    guest.console.wait_prompt()


def test_interrupt_and_quit_end_the_foreground_alone(boot):
    guest = boot()
    guest.sh("sleep 1000 &")
    start(guest, "sleep 1000 | cat")
    guest.console.send("\x03")
    guest.console.wait_prompt()
    assert guest.status("true") == 0
    start(guest, "sleep 1000")
    guest.console.send("\x1c")
    guest.console.wait_prompt()
    assert len(re.findall(r"sleep$", guest.sh("cat /dev/tasks"), re.MULTILINE)) >= 1
    guest.sh("kill -9 %1 || kill -9 $!")


def test_a_program_that_only_computes_is_interrupted(boot):
    guest = boot()
    start(guest, "while true; do true; done")
    guest.console.send("\x03")
    guest.console.wait_prompt()


def test_a_background_program_may_not_read(boot):
    guest = boot()
    guest.sh("cat </dev/tty &")
    guest.wait_for(lambda: re.search(r" T \d+ cat$", guest.sh("cat /dev/tasks"), re.MULTILINE),
                   "cat is stopped")
    assert guest.sh("echo mine").strip() == "mine"
    guest.ok("kill -9 $!")


def test_the_next_shell_has_the_terminal(boot):
    guest = boot()
    guest.console.start("exit")
    guest.console.wait_prompt()
    assert guest.sh("cat /etc/rc | wc -l").strip().isdigit()
    start(guest, "sleep 1000")
    guest.console.send("\x03")
    guest.console.wait_prompt()


def test_process_1_cannot_be_killed(boot):
    guest = boot()
    guest.sh("kill -9 1")
    assert re.search(r"^1 0 . \d+ init$", guest.sh("cat /dev/tasks"), re.MULTILINE)


def test_power_goes_off_though_files_are_open(boot, make_stick):
    guest = boot(make_stick())
    guest.leave_open("a program runs to the end")
    guest.sh("cd /mnt")
    guest.sh("sleep 1000 > open &")
    guest.sh("echo kept > kept")
    guest.judge({"/kept": b"kept\n", "/open": b""})
