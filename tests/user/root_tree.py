"""Where the programs under test are: the tree that becomes the root disk."""

import os
import pathlib

PROJECT = pathlib.Path(__file__).resolve().parents[2]
ROOT = PROJECT / os.environ.get("BUILD", "build") / "root"
SHELL = ROOT / "bin" / "sh"
