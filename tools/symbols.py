#!/usr/bin/python3
"""Makes the kernel's table of function names: symbols.py NM_OUTPUT ASSEMBLY.

The input is what `nm --numeric-sort --demangle` says of the kernel linked once without the table.
The output defines symbol_table (address and offset of the name, two words each, sorted by address),
symbol_count and symbol_names; kernel/i386/symbols.cc reads them.
"""

import re
import sys


def short_name(name):
    """The function's name without its arguments and return type."""
    name = name.replace("(anonymous namespace)::", "")
    name = re.sub(r"\[clone .*\]| \[.*\]", "", name)
    depth = 0
    for at, character in enumerate(name):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif character == "(" and depth == 0 and not name[:at].endswith("operator"):
            name = name[:at]
            break
    return name[:80]


def main():
    functions = []
    with open(sys.argv[1], encoding="utf-8") as listing:
        for line in listing:
            address, kind, name = line.rstrip("\n").split(" ", 2)
            if kind in "tTwW" and not name.startswith(".") and int(address, 16) >= 0x80000000:
                functions.append((int(address, 16), short_name(name)))

    table, names, offset = [], [], 0
    for address, name in functions:
        table.append(f"  dd {address:#x}, {offset}")
        quoted = name.replace("\\", "\\\\").replace("`", "\\`")
        names.append(f"  db `{quoted}`, 0")
        offset += len(name) + 1

    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("global symbol_table, symbol_count, symbol_names\n")
        out.write("section .symbols progbits alloc noexec nowrite align=4\n")
        out.write(f"symbol_count: dd {len(functions)}\n")
        out.write("symbol_table:\n" + "\n".join(table) + "\n")
        out.write("symbol_names:\n" + "\n".join(names) + "\n  db 0\n")


main()
