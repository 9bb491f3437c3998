"""The host tools are tested without the kernel."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))


@pytest.fixture(scope="session", name="guest")
def build_guest(tmp_path_factory):
    directory = tmp_path_factory.mktemp("guest")
    subprocess.run(["nasm", "-f", "elf32", HERE / "guest.asm", "-o", directory / "guest.o"],
                   check=True)
    subprocess.run(["i686-linux-gnu-ld", "-Ttext=0x100000", directory / "guest.o",
                    "-o", directory / "guest.elf"], check=True)
    return directory / "guest.elf"
