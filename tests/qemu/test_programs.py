"""The test programs that run inside the kernel (/test): system calls and what they promise."""

from pathlib import Path

import pytest
from vm import BUILD

PROGRAMS = sorted(path.name for path in (BUILD / "root" / "test").glob("*")) or ["none"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(boot, make_stick, program):
    guest = boot(make_stick())
    output = guest.sh(f"/test/{program}", timeout=120)
    status = guest.sh("echo $?").strip()
    assert status == "0", output
    assert not guest.console.seen("PANIC")
