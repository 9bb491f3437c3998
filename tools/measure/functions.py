"""In which functions of the kernel the instructions of a phase were spent."""

import re
import subprocess
from bisect import bisect_right
from collections import namedtuple

import vm

KERNEL_BASE = 0x80000000
Function = namedtuple("Function", "address name file")  # file: "fs/buffer/buffer.cc", "" if unknown


def short(name):
    name = name.replace("(anonymous namespace)::", "")
    return re.split(r"\(|<| \[", name)[0]


class Functions:
    """The kernel's functions, as its symbols and line numbers tell them."""

    def __init__(self, kernel=vm.BUILD / "replug.elf", root=vm.ROOT):
        listing = subprocess.run(["nm", "--numeric-sort", "--demangle", "--line-numbers", kernel],
                                 check=True, capture_output=True, text=True).stdout
        self.all = []
        for line in listing.splitlines():
            symbol, _, place = line.partition("\t")
            address, kind, name = symbol.split(" ", 2)
            if kind in "tTwW" and int(address, 16) >= KERNEL_BASE:
                file = place.rpartition(":")[0].removeprefix(f"{root}/")
                self.all.append(Function(int(address, 16), short(name), file))
        self._addresses = [function.address for function in self.all]

    def of(self, address):
        """The function that an address belongs to; None for one of a user's program."""
        index = bisect_right(self._addresses, address & 0xFFFFFFFF) - 1
        return self.all[index] if index >= 0 else None

    def profile(self, counts):
        """{function: instructions}, and {function: how often it was entered}."""
        spent, entered = {}, {}
        for (address, size), times in counts.items():
            function = self.of(address)
            spent[function] = spent.get(function, 0) + size * times
            if function and address & 0xFFFFFFFF == function.address:
                entered[function] = entered.get(function, 0) + times
        return spent, entered

    def print_profile(self, counts, lines=40):
        spent, entered = self.profile(counts)
        whole = sum(spent.values())
        for function, count in sorted(spent.items(), key=lambda item: -item[1])[:lines]:
            name = function.name if function else "(user)"
            print(f"{count / whole:7.1%} {count:12,d} {entered.get(function, 0):9,d}  {name}")
        print(f"{whole:20,d} in all")
