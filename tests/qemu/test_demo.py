"""`make demo` is what a newcomer sees first: it goes as it tells."""
import re
import subprocess
import sys

import vm


def test_the_demonstration_loses_nothing():
    demo = subprocess.run([sys.executable, vm.ROOT / "tools/demo.py"], cwd=vm.ROOT, check=False,
                          capture_output=True, text=True)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert re.search(r"^0 of 1048589 bytes lost$", demo.stdout, re.MULTILINE), demo.stdout
