"""tools/doctor.sh on machines that lack things: each is a PATH with few commands in it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DOCTOR = Path(__file__).resolve().parents[2] / "tools" / "doctor.sh"
PLAIN = ["sh", "sed", "grep", "cut", "sort", "head", "id", "mktemp", "tr", "env", "cat", "rm",
         "make", "gdb", "clang-format", "chmod"]
COMPILERS = ["i686-linux-gnu-g++", "g++", "nasm", "qemu-system-i386"]


@pytest.fixture(name="machine")
def make_machine(tmp_path):
    """machine(*commands) → a directory to be PATH, with the plain tools and these commands."""
    def make(*commands):
        for name in PLAIN:
            (tmp_path / name).symlink_to(shutil.which(name))
        for name in commands:  # with the PATH of this machine: it may be a ccache
            add_program(tmp_path / name, f"PATH='{os.environ['PATH']}' exec {name} \"$@\"")
        return tmp_path
    return make


def add_program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def add_apt(path, effect="true"):
    add_program(path / "apt-get", f'echo "$@" >>{path}/asked\n{effect}')
    add_program(path / "sudo", 'exec "$@"')


def doctor(path, *arguments, **environment):
    return subprocess.run(["/bin/sh", DOCTOR, *arguments], capture_output=True, text=True,
                          env={"PATH": str(path), **environment}, check=False)


def test_nothing_is_installed_when_nothing_is_missing(machine):
    path = machine(*COMPILERS)
    add_apt(path)
    assert doctor(path, "--install", "build", "demo").returncode == 0
    assert not (path / "asked").exists()


def test_without_apt_the_list_is_printed(machine):
    result = doctor(machine("i686-linux-gnu-g++", "nasm"), "--install", "demo")
    assert result.returncode == 1
    assert "qemu-system-i386" in result.stdout and "package manager" in result.stdout


def test_what_is_missing_is_announced_and_installed(machine):
    path = machine("i686-linux-gnu-g++", "qemu-system-i386")
    add_apt(path, f"ln -sf {shutil.which('nasm')} {path}/nasm")
    (path / "ln").symlink_to(shutil.which("ln"))
    result = doctor(path, "--install", "build")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Installing: nasm" in result.stdout
    assert "install -y --no-install-recommends nasm" in (path / "asked").read_text()


def test_an_installation_that_does_not_help_is_told(machine):
    path = machine("i686-linux-gnu-g++", "qemu-system-i386")
    add_apt(path)
    assert doctor(path, "--install", "build").returncode == 1


def test_an_old_compiler_is_missing(machine):
    path = machine("nasm")
    add_program(path / "old-g++", "exit 1")
    result = doctor(path, "build", CROSS_COMPILE="old-")
    assert result.returncode == 1
    assert "old-g++ 12 or newer" in result.stdout


def test_an_old_qemu_is_missing(machine):
    path = machine("i686-linux-gnu-g++", "nasm")
    add_program(path / "qemu-system-i386", "echo QEMU emulator version 4.2.1")
    assert "6.0 or newer (here: QEMU emulator version 4.2.1)" in doctor(path, "demo").stdout


def test_the_report_alone_installs_nothing(machine):
    path = machine("i686-linux-gnu-g++")
    add_apt(path)
    result = doctor(path, "build")
    assert result.returncode == 1 and "sudo apt-get install" in result.stdout
    assert not (path / "asked").exists()


@pytest.mark.parametrize("status", [0, 126])
def test_an_emulator_is_missing_where_linux_runs_no_i386_program(machine, status):
    path = machine("i686-linux-gnu-g++", "g++")
    (path / "chmod").unlink()
    # The program that is tried is exchanged for one with this status.
    add_program(path / "chmod", f'printf "#!/bin/sh\\nexit {status}\\n" >"$2"\n'
                f'exec {shutil.which("chmod")} +x "$2"')
    assert ("qemu-user" in doctor(path, "test").stdout) == (status != 0)
