"""What is on the sticks that `make run` and `make demo` plug in: the book's directories and files."""

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
