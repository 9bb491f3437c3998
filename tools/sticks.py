"""Making sticks and reading them: the book's directories and files, partitions, what is where."""

import struct

import minix

STICK_KIB = 64 * 1024
HELLO = b"Hello, world\n"
BOOK_DIRECTORY = "/user/user1/user2"


def make_book_stick(path, kib=STICK_KIB):
    """A stick as the book uses it (chapters 5 and 7), mkfs.minix -1 -n 14."""
    volume = minix.Volume.make(path, kib)
    for directory in ("/user", "/user/user1", BOOK_DIRECTORY):
        volume.mkdir(directory)
    for number in (1, 2, 3):
        # 20 000 bytes, so that reading them meets the indirect block.
        line = f"This is hello{number}.txt. ".encode()
        content = (line * (20000 // len(line) + 1))[:19999] + b"\n"
        volume.write(f"{BOOK_DIRECTORY}/hello{number}.txt", content)
    return volume


def blocks_of(data):
    """A file's content as the blocks that hold it."""
    return [data[start:start + minix.BLOCK].ljust(minix.BLOCK, b"\0")
            for start in range(0, len(data), minix.BLOCK)]


def blocks_present(image, data):
    """How many blocks of `data` stand anywhere in an image: what of it has reached the medium,
    also when no directory names it yet. `data` should be random, so that no two are equal."""
    there = set(blocks_of(image))
    return sum(block in there for block in blocks_of(data))


def bytes_lost(image, path, expected):
    """How many bytes of a file are not in an image as they should be."""
    try:
        found = minix.Volume(image).read(path)
    except minix.MinixError:
        return len(expected)
    same = sum(ours == theirs for ours, theirs in zip(expected, found))
    return len(expected) - same + max(len(found) - len(expected), 0)


SECTOR = 512
MBR_ENTRY = struct.Struct("<B3sB3sII")
MINIX_TYPE = 0x81
FIRST_SECTOR = 2048


def make_partitioned_stick(path, sizes_kib):
    """A stick with a master boot record and a MINIX file system in each primary partition.

    Returns the (offset, length) of every partition, in bytes.
    """
    table, ranges, contents = b"", [], b""
    for kib in sizes_kib:
        minix.Volume.make(path, kib)
        start = FIRST_SECTOR + len(contents) // SECTOR
        with open(path, "rb") as file:
            contents += file.read()
        table += MBR_ENTRY.pack(0, b"\xfe\xff\xff", MINIX_TYPE, b"\xfe\xff\xff", start,
                                kib * 1024 // SECTOR)
        ranges.append((start * SECTOR, kib * 1024))
    with open(path, "wb") as file:
        file.write(bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa")
        file.write(bytes(FIRST_SECTOR * SECTOR - SECTOR) + contents)
    return ranges
