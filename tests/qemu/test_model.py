"""Random commands on a stick that is pulled again and again, compared with a model of what they
promise.

To repeat a failure, run the test by its name, which has its seed. SEEDS=100 tries 100 seeds, not
two.
"""

import os
import random

import minix
import pytest
from vm import BUILD

COMMANDS = 150
SEEDS = range(1, 1 + int(os.environ.get("SEEDS", "2")))


class Model:
    """A tree as a user imagines it: directories, and names of files that may be the same file."""

    def __init__(self, choice):
        self.choice = choice
        self.directories = ["/w"]
        self.files = {}  # path → [bytes], shared by links
        self.serial = 0

    def fresh(self):
        self.serial += 1
        return f"{self.choice.choice(self.directories)}/n{self.serial}"

    def some_file(self):
        return self.choice.choice(sorted(self.files))

    def step(self):
        """Chooses a command, carries it out here, and returns it for the shell."""
        kinds = [self.create, self.create, self.make_directory, self.install]
        if self.files:
            kinds += [self.append, self.append, self.overwrite, self.remove, self.rename, self.link,
                      self.copy, self.replace]
        return self.choice.choice(kinds)()

    def text(self):
        return "x" * self.choice.choice([1, 60, 700]) + str(self.serial)

    def create(self):
        path, text = self.fresh(), self.text()
        self.files[path] = [text.encode() + b"\n"]
        return f"echo {text} > /mnt{path}"

    def install(self):
        """A file of many blocks: a program of the root disk."""
        path, program = self.fresh(), self.choice.choice(["sh", "ls", "cp"])
        self.files[path] = [(BUILD / "root" / "bin" / program).read_bytes()]
        return f"cp /bin/{program} /mnt{path}"

    def append(self):
        path, text = self.some_file(), self.text()
        self.files[path][0] += text.encode() + b"\n"
        return f"echo {text} >> /mnt{path}"

    def overwrite(self):
        path, text = self.some_file(), self.text()
        self.files[path][0] = text.encode() + b"\n"
        return f"echo {text} > /mnt{path}"

    def remove(self):
        path = self.some_file()
        del self.files[path]
        return f"rm /mnt{path}"

    def rename(self):
        old, new = self.some_file(), self.fresh()
        self.files[new] = self.files.pop(old)
        return f"mv /mnt{old} /mnt{new}"

    def replace(self):
        old, new = self.some_file(), self.some_file()
        if self.files[old] is self.files[new]:
            return "true"
        self.files[new] = self.files.pop(old)
        return f"mv /mnt{old} /mnt{new}"

    def link(self):
        old, new = self.some_file(), self.fresh()
        self.files[new] = self.files[old]
        return f"ln /mnt{old} /mnt{new}"

    def copy(self):
        old, new = self.some_file(), self.fresh()
        self.files[new] = [self.files[old][0]]
        return f"cp /mnt{old} /mnt{new}"

    def make_directory(self):
        path = self.fresh()
        self.directories.append(path)
        return f"mkdir /mnt{path}"

    def tree(self):
        return {**{path: None for path in self.directories},
                **{path: content[0] for path, content in self.files.items()}}


@pytest.mark.parametrize("options", ["", "buffers=64", "buffers=64 hold=30",
                                     "buffers=64 policy=0.11"])
@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed{seed}")
def test_everything_that_was_promised_is_there(boot, make_stick, seed, options):
    choice = random.Random(f"{seed} {options}")
    guest = boot(make_stick(book=False), append=options)
    model = Model(choice)
    guest.ok("mkdir /mnt/w")
    for _ in range(COMMANDS):
        command = model.step()
        if choice.random() < 0.05:
            command += "; sync"
        pulled = choice.random() < 0.15
        if pulled:
            guest.throttle("stick", choice.choice([0, 0, 64 << 10]))
            guest.console.send(command + "\n")
            guest.pull("stick")
            guest.throttle("stick", 0)
            guest.plug("stick", choice.choice([1, 2, 3, 5, 6, 7]))
            guest.console.wait_prompt()
        else:
            guest.sh(command)
    guest.poweroff()
    assert minix.fsck(guest.sticks["stick"].image) == ""
    assert guest.volume().tree() == model.tree()
