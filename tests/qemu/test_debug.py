"""`make debug` with the real kernel: from the first instruction to a call of the book, by name."""

import os
import subprocess
import sys

from vm import BUILD, ROOT


def test_gdb_stops_in_sys_sync_and_knows_the_names(tmp_path):
    (tmp_path / "replug.elf").symlink_to((BUILD / "replug.elf").resolve())
    result = subprocess.run(
        [sys.executable, ROOT / "tools" / "run.py", "debug", "--gdb", "info registers eip",
         "--gdb", "hbreak sys_sync", "--gdb", "continue", "--gdb", "backtrace", "--gdb", "quit"],
        env={**os.environ, "BUILD": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120, check=False)
    assert "0xfff0" in result.stdout
    assert "Breakpoint 1, sys_sync" in result.stdout
    assert "system_call" in result.stdout
