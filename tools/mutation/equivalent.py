"""tests/mutants/equivalent.txt: changes that no test can notice, each with its reason.

    fs/bitmap.cc
      - the line as it is, without the space around it
      + the line with the change
      Why nothing that can be seen differs, in one line or more.

An entry is found by its lines, so it may move within its file. At most one in ten of a sample may be
one of these, and each reason must convince a reader that did not write the tests.
"""

import re
import subprocess

FILE = "tests/mutants/equivalent.txt"
ENTRY = re.compile(r"^(\S+)\n  - (.*)\n  \+ (.*)\n((?:  .+\n)+)", re.MULTILINE)


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
    none, so nothing is known of one."""
    if not file.endswith(".cc"):
        return False
    return _assembly(tree, file, before) == _assembly(tree, file, after)


def _assembly(tree, file, text):
    command = ["g++", "-std=c++23", "-O2", "-w", "-fno-exceptions", "-fno-rtti",
               "-fno-threadsafe-statics", "-fno-strict-aliasing", "-I.", "-x", "c++", "-S", "-",
               "-o", "-"]
    return subprocess.run(command, cwd=tree, input=text, text=True, capture_output=True,
                          check=False).stdout
