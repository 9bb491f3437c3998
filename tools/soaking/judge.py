"""Is what was acknowledged on an image? The judge knows nothing of the kernel but its promise."""

import re
import struct
import zlib

import minix

# What a damaged file system makes of minix.Volume. A life is kept only if it ends with Wrong.
UNREADABLE = (minix.MinixError, struct.error, IndexError)
VALID = 1  # of the superblock's state: it was unmounted


class Wrong(Exception):
    """A life has shown a defect."""


def judge(image, sums, mounted=False):
    """An image must have no fault, and hold the files of `sums`: {path: (CRC, length)}. Returns how
    many these are. mounted: it was not unmounted, but synchronised, so that it need not say that it
    is valid.
    """
    complaints = minix.fsck(image)
    if complaints:
        raise Wrong(f"{image.name}: {complaints}")
    state = minix.Volume(image.read_bytes()).state
    if state != VALID and not mounted:
        raise Wrong(f"{image.name}: it was unmounted, and its state is {state}")
    return judge_files(image, sums)


def judge_files(image, sums):
    """The same for the files alone, whatever the state of the file system is."""
    if not sums:
        raise Wrong(f"{image.name}: no file of it is judged")
    for path, (crc, length) in sums.items():
        try:
            content = minix.Volume(image.read_bytes()).read(path)
        except UNREADABLE as error:
            raise Wrong(f"{image.name}: {path} was acknowledged: {error}") from error
        if (zlib.crc32(content), len(content)) != (crc, length):
            raise Wrong(f"{image.name}: {path} is not what was acknowledged "
                        f"({len(content)} bytes, expected {length})")
    return len(sums)


# A panic; what is said of a stick that comes back too late, changed, or in another's place, or whose
# file system is damaged; and the end of QEMU's controller or of its interrupt line, which has no
# other reason than a mistake of the kernel.
_COMPLAINTS = re.compile(r"^.*(?:PANIC: |\bLOST: |was changed elsewhere|was formatted anew|"
                         r"Two sticks claim|damaged file system|every device on it is gone|nobody claims it).*$",
                         re.MULTILINE)


def complaint(text):
    """What a console says that must not be said in a life; None if nothing."""
    found = _COMPLAINTS.search(text)
    return found and text[found.start():found.start() + 3000]


def kept(text):
    """What a report of user/tests/keeper.cc says: {name: (CRC, length)}, and its number of changes.
    Raises Wrong when it saw a defect itself, ValueError when the report is not whole."""
    found = re.search(r"keeper: (\d+) changes, (\d+) kept, (\d+) wrong", text)
    sums = {name: (int(crc), int(length)) for name, crc, length in
            re.findall(r"^kept (\w+) (\d+) (\d+)\r?$", text, re.MULTILINE)}
    if not found or len(sums) != int(found.group(2)):
        raise ValueError(f"the report of keeper is not whole:\n{text}")
    if int(found.group(3)):
        raise Wrong(f"keeper has read what it had not written\n{text}")
    return sums, int(found.group(1))


def calls(text):
    """How many random calls user/tests/monkey.cc has made."""
    found = re.search(r"monkey: (\d+) calls", text)
    if not found:
        raise ValueError(f"the report of monkey is not whole:\n{text}")
    return int(found.group(1))


def held(text):
    """What keeper has printed after an fsync: {path: (CRC, length)}. The kernel may have spoken in the
    middle of a line; such a line fails by its sum."""
    return {path: (int(crc), int(length)) for path, crc, length, total in
            re.findall(r"\bheld (/\w+/\w+/\w+) (\d+) (\d+) (\d+)\b", text)
            if int(crc) ^ int(length) == int(total)}
