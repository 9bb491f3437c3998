"""tools/measure: figures that cannot go stale without a word."""

import os
import subprocess

import pytest
from measure import cache
from measure.functions import Functions

CXX = os.environ.get("CROSS_COMPILE", "i686-linux-gnu-") + "g++"


def build_kernel(root, files):
    """A kernel of one function in each file, named after it."""
    for file in files:
        name = file.rpartition("/")[2].removesuffix(".cc")
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(f"namespace {{ int keep; }}\nint {name}() {{ return ++keep; }}\n")
    subprocess.run([CXX, "-m32", "-g", "-ffreestanding", "-nostdlib", "-no-pie", "-fno-pic",
                    "-Wl,-Ttext=0x80100000,-e,0", *[root / file for file in files],
                    "-o", root / "kernel.elf"], check=True, capture_output=True)
    return Functions(root / "kernel.elf", root)


def executed(functions, instructions):
    """What the counting plugin says: {function: instructions} as blocks, each executed once."""
    return {(function.address, instructions[function.name]): 1 for function in functions.all
            if function.name in instructions}


def test_instructions_belong_to_the_function_around_them(tmp_path):
    functions = build_kernel(tmp_path, ["fs/one.cc", "fs/two.cc"])
    one, two = (next(f for f in functions.all if f.name == name) for name in ("one", "two"))
    assert (one.file, two.file) == ("fs/one.cc", "fs/two.cc")
    spent, entered = functions.profile({(one.address, 3): 10, (one.address + 4, 2): 5,
                                        (two.address | 0xFFFFFFFF00000000, 1): 7, (0x1000, 9): 1})
    assert spent == {one: 40, two: 7, None: 9}
    assert entered == {one: 10, two: 7}


def test_every_file_of_the_cache_counts(tmp_path):
    functions = build_kernel(tmp_path, [*cache.FILES, "fs/inode.cc"])
    names = [file.rpartition("/")[2].removesuffix(".cc") for file in cache.FILES]
    counts = executed(functions, dict.fromkeys([*names, "inode"], 10))
    assert cache.spent_by_file(functions, counts) == dict.fromkeys(cache.FILES, 10)
    assert set(cache.POLICIES.values()) < set(cache.FILES)


def test_a_kernel_without_a_file_of_the_cache_is_refused(tmp_path):
    functions = build_kernel(tmp_path, cache.FILES[1:])
    with pytest.raises(LookupError, match=cache.FILES[0]):
        cache.spent_by_file(functions, {})
