"""tools/measure: a figure that cannot be right any more must be reported."""

import os
import subprocess

import pytest
from measure import cache, phases, picture, report
from measure.functions import Functions

CXX = os.environ.get("CROSS_COMPILE", "i686-linux-gnu-") + "g++"


def build_kernel(root, files):
    """A kernel of one function in each file, named after it."""
    for file in files:
        name = file.rpartition("/")[2].removesuffix(".cc")
        (root / file).parent.mkdir(parents=True, exist_ok=True)
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


def figures_of(speed):
    """What a run measures of every phase, the same for all; a higher speed gives better figures."""
    times = {key: 1e6 / speed for _, key, _, _ in report.RATES}
    times |= {key: 1 / speed for _, key in report.BOOT}
    keys = ("insns", "commands", "data_commands", "trbs", "doorbells", "interrupts")
    counts = {f"{phase}.{key}": 1e6 / speed for phase in [*report.PHASES, "boot"] for key in keys}
    counts |= {f"{phase}.moved": phases.BIG for phase in report.PHASES}
    return {"time": times, "icount": times, "count": counts}


def test_the_table_has_every_line_that_was_asked_for():
    lines = report.lines_of({report.OURS: figures_of(3), report.PLAIN: figures_of(4),
                             report.PEER: figures_of(1)})
    names = {(line.group, line.name) for line in lines}
    sizes = [size for size, _ in phases.SIZES]
    for what in (*(f"write 16 MiB by {size}, durable" for size in sizes),
                 *(f"read 16 MiB by {size}, {how}" for size in sizes for how in ("cold", "cached")),
                 "create 500 files, durable", "remove 500 files, durable",
                 "2000 random 1 KiB writes, durable", "append 1 KiB + sync", "append 1 KiB + fsync"):
        assert {("wall time", what), ("guest's time, -icount", what)} <= names
    for size in sizes:
        for phase in (f"seqw_{size}", f"seqr_{size}"):
            for what in ("SCSI commands per MiB", "TRBs per MiB", "doorbells per MiB",
                         "interrupts per MiB", "KiB per command"):
                assert ("the bus", f"{phase}, {what}") in names
    assert {("wall time", name) for name, _ in report.BOOT} <= names
    assert all(line.ratio == pytest.approx(3) for line in lines
               if "per command" not in line.name or line.more_is_better)
    assert all(len(line.values) == 3 for line in lines)


def test_the_picture_shows_every_line_with_a_ratio(tmp_path):
    pytest.importorskip("matplotlib")
    lines = report.lines_of({report.OURS: figures_of(3), report.PEER: figures_of(1)})
    picture.draw(lines, tmp_path / "bench.svg")
    drawn = (tmp_path / "bench.svg").read_text()
    assert all(line.name.replace("'", "&#39;") in drawn or line.name in drawn for line in lines)
    picture.draw(report.lines_of({report.OURS: figures_of(3)}), tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()
