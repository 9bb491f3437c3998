"""The programs of the root disk, run on the host: they speak Linux i386's system calls, so a Linux
that runs 32-bit programs runs them. Elsewhere these tests are skipped, and say so."""

import pathlib
import subprocess

import pytest

from root_tree import ROOT, SHELL

HERE = pathlib.Path(__file__).resolve().parent

def why_not():
    if not SHELL.exists():
        return f"{SHELL} is not built (make root-tree)"
    try:
        subprocess.run([SHELL, "-c", ":"], check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as problem:
        return f"this machine does not run i386 programs: {problem}"
    return None


def pytest_collection_modifyitems(items):
    ours = [item for item in items if HERE in item.path.parents]
    reason = why_not() if ours else None
    if reason:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def environment():
    return {"PATH": f"{ROOT}/bin:{ROOT}/book:{ROOT}/test", "HOME": "/", "TERM": "vt100"}


@pytest.fixture
def sh(tmp_path, environment):
    """Runs a script in an empty directory; returns the finished process, outputs as text."""

    def run(script, input="", arguments=()):
        return subprocess.run([SHELL, "-c", script, "sh", *arguments], input=input, text=True,
                              capture_output=True, cwd=tmp_path, env=environment, timeout=60)

    return run
