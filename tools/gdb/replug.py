"""What `make debug` gives to gdb: the kernel's own commands. Loaded with -x; touches no file."""

import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import cache  # noqa: E402
import ckpt  # noqa: E402
import kernel  # noqa: E402
import paging  # noqa: E402
import printers  # noqa: E402
import tasks  # noqa: E402
import usb  # noqa: E402
import walk  # noqa: E402
import words  # noqa: E402

OVERVIEW = """The kernel's structures:
  bufs [DEV] [N-M] [dirty|locked|…]   the buffer cache       tasks, task N bt   what tasks sleep on
  dirty                               the dirty lists        rings [all]        xHCI rings, decoded
  hash [DEV BLOCK]                    the hash table         ports              the root hubs' ports
  inodes [all]                        inodes in memory       pagetable ADDR     one translation
  requests                            the block requests     ckpt [DEV]         the checkpoint region
  why BLOCK [DEV]                     one block's story: dirtied, shadowed, written, pulled, replayed
Walks, with a stop at every station and what it does to the structures:
  walk write | sync | full-cache | unplug | replug           (the pages are docs/walks/*.md)
The console: `make console` in a second terminal. `help NAME` tells more of each command."""


class Replug(gdb.Command):
    def __init__(self):
        super().__init__("replug", gdb.COMMAND_USER)

    def invoke(self, _argument, _from_tty):
        gdb.write(OVERVIEW + "\n")


Replug.__doc__ = "What this debugger knows of the kernel.\n\n" + OVERVIEW

for part in (kernel, cache, ckpt, paging, printers, tasks, usb, walk, words):
    part.install()
Replug()
