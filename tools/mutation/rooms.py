"""The rooms of the kernel, their files that the host tests contain, and samples of their changes."""

import random
import re

from mutation.changes import KINDS, changes

# A room is a folder with those below it, except where one of these is a room of its own.
ROOMS = ("fs", "fs/checkpoint", "fs/buffer", "fs/replug", "drivers/block", "drivers/usb",
         "drivers/char", "drivers/pci", "lib", "kernel", "mm")
OUTSIDE = ("kernel/i386/",)  # the machine's own: tested in QEMU


def room_of(name):
    """The room that a file stands in, or None."""
    if name.startswith(OUTSIDE):
        return None
    return max((room for room in ROOMS if name.startswith(room + "/")), key=len, default=None)


class Objects:
    """Which objects of the host tests are made from a file, by the compiler's notes (*.d)."""

    MOST = {"product": 6, "tests": 2}  # of a header's: all would take minutes for each change

    def __init__(self, host):
        self.made_from = {}
        for notes in sorted(host.rglob("*.d")):
            name = notes.with_suffix(".o").relative_to(host).as_posix()
            rule = notes.read_text().split("\n\n")[0].replace("\\\n", " ").partition(":")[2]
            for source in re.findall(r"\S+", rule.split("\n")[0]):
                self.made_from.setdefault(source, []).append(name)

    def sources(self):
        """{room: [file]} of what can be changed."""
        found = {}
        for name in sorted(self.made_from):
            if room := room_of(name):
                found.setdefault(room, []).append(name)
        return found

    def changed_by(self, change):
        """The objects to be compiled again: all of a .cc; of a header some, the same ones each time,
        those of its own room before others. (An inline function that stays a function is taken from
        the first object of the product: tests/host.mk.)"""
        names = self.made_from.get(change.file, [])
        if change.file.endswith(".cc"):
            return names
        room, chosen = room_of(change.file), []
        shuffled = random.Random(change.name).sample(names, len(names))
        for half, most in self.MOST.items():
            mine = [n for n in shuffled if n.startswith(half + "/")]
            mine.sort(key=lambda n: room_of(n.partition("/")[2]) != room)
            chosen += mine[:most]
        return chosen


def drawn(room, seed, files, root):
    """The changes of a room in an order that the seed decides. The kinds take turns, because there
    are far more numbers than guards."""
    chance = random.Random(f"{seed} {room}")
    by_kind = {kind: [] for kind in KINDS}
    for name in files:
        for change in changes(name, (root / name).read_text()):
            by_kind[change.kind].append(change)
    for found in by_kind.values():
        chance.shuffle(found)
    while any(by_kind.values()):
        for kind in chance.sample(KINDS, len(KINDS)):
            if by_kind[kind]:
                yield by_kind[kind].pop()
