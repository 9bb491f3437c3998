"""tests/mutants/equivalent.txt: changes that no test can notice, each with its reason.

    fs/bitmap.cc
      - the line as it is, without the space around it
      + the line with the change
      Why nothing that can be seen differs, in one line or more.

An entry is found by its lines, so it may move within its file. At most one in ten of a sample may be
one of these, and each reason must convince a reader that did not write the tests.
"""

import functools
import re
import shlex
import shutil
import subprocess

from mutation.workshop import make

FILE = "tests/mutants/equivalent.txt"
ENTRY = re.compile(r"^(\S+)\n  - (.*)\n  \+ (.*)\n((?:  .+\n)+)", re.MULTILINE)
PRINT_COMPILER = """.PHONY: print-compiler
print-compiler:
	@echo $(KERNEL_CXX) $(KERNEL_CXXFLAGS)"""
# They tell of lines and files, and make no instructions.
NO_CODE = ("-g", "-MMD", "-MP")


class Equivalents:
    def __init__(self, root):
        path = root / FILE
        self.text = path.read_text() if path.exists() else ""
        self.entries = {(file, before, after): " ".join(reason.split())
                        for file, before, after, reason in ENTRY.findall(self.text)}

    def reason(self, change, text):
        return self.entries.get((change.file, *change.lines(text)))

    def flaws(self, root):
        """Entries that the sources have left behind, and what is no entry."""
        for file, before, _ in self.entries:
            lines = " ".join((root / file).read_text().split()) if (root / file).exists() else ""
            if before not in lines:
                yield f"{file}: `{before}` does not stand there"
        rest = ENTRY.sub("", self.text)
        rest = re.sub(r"^#.*$", "", rest, flags=re.MULTILINE).strip()
        if rest:
            yield f"{FILE}: not understood: {rest.splitlines()[0]}"


def same_code(tree, file, before, after):
    """Whether the kernel's compiler makes the same instructions of both texts. Of a header it makes
    none, so nothing is known of one, nor without that compiler."""
    if not file.endswith(".cc"):
        return False
    made = _assembly(tree, before)
    return made is not None and made == _assembly(tree, after)


def _assembly(tree, text):
    """None if the text does not compile."""
    command = kernels_compiler(tree)
    if not command:
        return None
    done = subprocess.run([*command, "-w", "-x", "c++", "-S", "-", "-o", "-"], cwd=tree, input=text,
                          text=True, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


@functools.lru_cache(maxsize=None)
def kernels_compiler(tree):
    """The command with which the Makefile compiles the kernel; empty if there is none."""
    output, worked = make(tree, 1, "-s", f"--eval={PRINT_COMPILER}", "print-compiler")
    command = [word for word in shlex.split(output) if word not in NO_CODE] if worked else []
    return command if command and shutil.which(command[0]) else []
