#!/usr/bin/python3
"""Makes the root disk: a MINIX v1 image from a staging directory and a table of device nodes.

No root rights are needed: nodes stand in the table, everything belongs to root in the image. The
image is as large as its contents, and some space for what is written at run time. It is replaced
only when it has changed, so that the kernel is not linked again without need.
"""

import argparse
import os
import sys
from pathlib import Path

import minix

SPARE_BLOCKS = 2048
SPARE_INODES = 128


def read_device_table(path):
    """(path, kind, major, minor, mode) for every node; a line may stand for a range of them."""
    for number, line in enumerate(Path(path).read_text(encoding="ascii").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 5 or words[1] not in ("c", "b"):
            sys.exit(f"{path}:{number}: expected: path c|b major minor mode")
        name, kind, major, minor, mode = words
        yield name, kind, int(major), int(minor), int(mode, 8)


def staged(root):
    """Every file and directory of the staging directory, parents first: (path in image, Path)."""
    for path in sorted(root.rglob("*")):
        yield "/" + path.relative_to(root).as_posix(), path


def blocks_of(size):
    data = -(-size // minix.BLOCK)
    return data + 1 + -(-data // minix.POINTERS)


def fitted_size(entries, nodes):
    """(KiB, inodes) that hold all of it and leave the spare."""
    inodes = len(entries) + len(nodes) + SPARE_INODES
    data = sum(blocks_of(path.stat().st_size) for _, path in entries) + len(nodes) // 16
    tables = 2 + inodes // minix.INODES_PER_BLOCK + 4
    return data + tables + SPARE_BLOCKS, inodes


def mode_of(path):
    """Executable or not is all that is taken over: umasks of the builder do not matter."""
    return 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644


def mtime_of(path):
    return int(os.environ.get("SOURCE_DATE_EPOCH", path.stat().st_mtime))


def build(root, table, image):
    entries = list(staged(root))
    nodes = list(read_device_table(table))
    kib, inodes = fitted_size(entries, nodes)
    volume = minix.Volume.make(image, kib, names=30, inodes=inodes)
    top = volume.inode(minix.ROOT_INODE)
    top.mtime = mtime_of(root)
    volume.put_inode(top)
    for name, path in entries:
        if path.is_dir():
            volume.mkdir(name, mode_of(path), mtime_of(path))
        else:
            volume.write(name, path.read_bytes(), mode_of(path), mtime_of(path))
    for name, kind, major, minor, mode in nodes:
        volume.mknod(name, kind, major, minor, mode, mtime_of(root))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="the staging directory")
    parser.add_argument("table", type=Path, help="the table of device nodes")
    parser.add_argument("image", type=Path, help="the image to make")
    arguments = parser.parse_args()
    for directory in ("dev", "mnt", "tmp"):
        (arguments.root / directory).mkdir(parents=True, exist_ok=True)
    fresh = arguments.image.with_suffix(".new")
    try:
        build(arguments.root, arguments.table, fresh)
    except minix.MinixError as error:
        sys.exit(f"mkroot: {error}")
    if arguments.image.exists() and arguments.image.read_bytes() == fresh.read_bytes():
        fresh.unlink()
    else:
        fresh.replace(arguments.image)


if __name__ == "__main__":
    main()
