"""Other sticks, swapped ones, write-protected ones, partitioned ones, hostile ones."""

import random
import struct

import minix
import pytest
import sticks
from guest import CONFLICT, REFUSED

HELLO = "/user/user1/user2/hello.txt"


@pytest.mark.parametrize("options", [{"kib": 4096}, {"book": False}, {"names": 30, "book": False}],
                         ids=["smaller", "other files", "other format"])
def test_another_stick_with_the_same_serial_is_not_written(boot, make_stick, options):
    guest = boot(make_stick(serial="SAME"))
    guest.ok(f"echo Hello, world > /mnt{HELLO}")
    guest.pull()
    other = make_stick("other", serial="SAME", port=1, **options)
    before = other.image.read_bytes()
    guest.insert(other)
    guest.console.expect(f"{REFUSED}|{CONFLICT}|^sdb: ")
    guest.ok("sync")
    guest.pull("other")
    assert other.image.read_bytes() == before
    guest.come_back(port=1)
    guest.judge({HELLO: b"Hello, world\n"})
    assert other.image.read_bytes() == before


def test_a_copy_of_the_stick_that_was_written_elsewhere_is_not_written(boot, make_stick):
    """The same blocks but one: a conflict, and a conflict writes nothing (rule 8)."""
    guest = boot(make_stick())
    guest.ok("echo mine > /mnt/mine")
    guest.pull()
    image = guest.sticks["stick"].image
    minix.Volume.open(image, writable=True).write("/theirs", b"theirs\n")
    before = image.read_bytes()
    guest.plug("stick", 2)
    guest.console.expect(CONFLICT)
    guest.wait_state("conflict")
    assert image.read_bytes() == before


@pytest.fixture(name="two_sticks")
def boot_with_two_sticks(boot, make_stick):
    """One on /mnt, the other one, `second`, on /tmp/second."""
    guest = boot(make_stick("stick", port=1))
    guest.insert(make_stick("second", port=2))
    guest.wait_disk("sdb")
    guest.ok("mkdir /tmp/second")
    guest.ok("mount /dev/sdb /tmp/second")
    return guest


def test_two_sticks_are_pulled_and_come_back_swapped(two_sticks):
    guest = two_sticks
    guest.ok("echo one > /mnt/one")
    guest.ok("echo two > /tmp/second/two")
    guest.pull("stick")
    guest.pull("second")
    guest.come_back("stick", 2)
    guest.come_back("second", 1)
    guest.judge({"/one": b"one\n"})
    assert minix.fsck(guest.sticks["second"].image) == ""
    assert guest.volume("second").tree()["/two"] == b"two\n"
    assert not guest.volume("stick").exists("/two")


def test_one_stick_does_not_wait_for_the_other(two_sticks):
    guest = two_sticks
    guest.ok("echo one > /mnt/one")
    guest.pull("stick")
    guest.ok("echo two > /tmp/second/two")
    guest.ok("sync")
    assert guest.holds("/two", b"two\n", "second")
    guest.ok("umount /tmp/second")


def test_a_write_protected_stick_can_be_read_and_not_written(boot, make_stick):
    guest = boot(make_stick(read_only=True), mounted=False)
    before = guest.snapshot()
    guest.wait_for(lambda: "hello1.txt" in guest.sh("ls /mnt/user/user1/user2"), "it is mounted")
    assert guest.status("echo no > /mnt/no") != 0
    guest.ok("sync")
    guest.poweroff()
    assert guest.snapshot() == before


def test_partitions(boot, make_stick, tmp_path):
    stick = make_stick()
    ranges = sticks.make_partitioned_stick(stick.image, [2048, 4096])
    guest = boot(stick, mounted=False)
    guest.wait_mounted("sda1")
    guest.wait_disk("sda2")
    guest.ok("umount /mnt")
    for number in (1, 2):
        guest.ok(f"mkdir /tmp/p{number}")
        guest.ok(f"mount /dev/sda{number} /tmp/p{number}")
        guest.ok(f"echo partition {number} > /tmp/p{number}/file")
    guest.pull()
    guest.come_back(port=3)
    guest.poweroff()
    for number, (offset, length) in enumerate(ranges, 1):
        assert minix.fsck_partition(stick.image, offset, length, tmp_path / "part") == ""
        volume = minix.Volume.open(stick.image, offset)
        assert volume.read("/file") == b"partition %d\n" % number


@pytest.mark.parametrize("names", [14, 30])
def test_both_lengths_of_names(boot, make_stick, names):
    guest = boot(make_stick(book=False, names=names))
    name = "n" * names
    guest.ok(f"echo long > /mnt/{name}")
    assert guest.status(f"echo longer > /mnt/{name}n") != 0 or names == 14
    guest.judge({f"/{name}": b"long\n"})


# --- hostile images: what is wrong with them, each as a change of a good one ---------------------


def superblock_field(offset, value, form="<H"):
    def damage(image, _):
        struct.pack_into(form, image, minix.BLOCK + offset, value)
    return damage


def inode_field(path, offset, value, form="<H"):
    def damage(image, volume):
        inode = volume.lookup(path)
        struct.pack_into(form, image, volume._inode_offset(inode.number) + offset, value)
    return damage


def fill_first_block(path, content):
    def damage(image, volume):
        zone = volume.lookup(path).zones[0]
        image[zone * minix.BLOCK:(zone + 1) * minix.BLOCK] = content
    return damage


HELLO1 = "/user/user1/user2/hello1.txt"
ENTRIES = b"".join(struct.pack("<H14s", 0xFFFF, bytes([value]) * 14) for value in range(64))
HOSTILE = {
    "no inodes": superblock_field(0, 0),
    "more inodes than the map has bits": superblock_field(0, 65535),
    "more zones than the device": superblock_field(2, 65535),
    "no inode map": superblock_field(4, 0),
    "an inode map of 65535 blocks": superblock_field(4, 65535),
    "a zone map of 65535 blocks": superblock_field(6, 65535),
    "data begins in the boot block": superblock_field(8, 0),
    "data begins behind the end": superblock_field(8, 65535),
    "zones of 2^200 blocks": superblock_field(10, 200),
    "files of at most 0 bytes": superblock_field(12, 0, "<I"),
    "the root is a file": inode_field("/", 0, 0o100644),
    "the root is a device": inode_field("/", 0, 0o060644),
    "the root has no block": inode_field("/", 14, 0),
    "the root's block is the superblock": inode_field("/", 14, 1),
    "the root is 4 GiB": inode_field("/", 4, 0xFFFFFFFF, "<I"),
    "the root's size is odd": inode_field("/", 4, 13, "<I"),
    "a directory of garbage": fill_first_block("/user", ENTRIES),
    "a file of 4 GiB": inode_field(HELLO1, 4, 0xFFFFFFFF, "<I"),
    "a file behind the end": inode_field(HELLO1, 14, 60000),
    "an indirect block behind the end": inode_field(HELLO1, 28, 60000),
    "an indirect block that is the superblock": inode_field(HELLO1, 28, 1),
    "a file without links": inode_field(HELLO1, 13, 0, "B"),
    "a file of no known kind": inode_field(HELLO1, 0, 0),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_images_harm_nobody(boot, make_stick, what):
    stick = make_stick(kib=1024)
    image = bytearray(stick.image.read_bytes())
    HOSTILE[what](image, minix.Volume(bytes(image)))
    stick.image.write_bytes(image)
    guest = boot(stick, mounted=False)
    guest.wait_for(lambda: "sda" in guest.disks(), "sda appears")
    for command in ("mount /dev/sda /mnt", "ls -l /mnt /mnt/user", f"cat /mnt{HELLO1} | wc",
                    "echo new > /mnt/new", f"echo over > /mnt{HELLO1}", "mkdir /mnt/user/directory",
                    f"rm /mnt{HELLO1}", "rmdir /mnt/user", "df", "sync", "umount /mnt"):
        guest.sh(command)
    assert "alive" in guest.sh("echo alive")
    assert not guest.console.seen("PANIC")
    guest.poweroff()


def test_random_damage_harms_nobody(boot, make_stick, data):
    """Bytes of all metadata are changed at random, in twenty variants."""
    choice = random.Random(1)
    guest = boot()
    for turn in range(20):
        stick = make_stick(f"stick{turn}", kib=512)
        image = bytearray(stick.image.read_bytes())
        for _ in range(200):
            image[choice.randrange(minix.BLOCK, 40 * minix.BLOCK)] = choice.randrange(256)
        struct.pack_into("<H", image, minix.BLOCK + 16, 0x137F)
        stick.image.write_bytes(image)
        guest.insert(stick)
        guest.wait_for(lambda: guest.disks(), "it appears")
        for command in ("mount /dev/sda /mnt", "ls -l /mnt /mnt/user", "echo new > /mnt/new",
                        "rm /mnt/new", "sync", "umount -f /mnt"):
            guest.sh(command)
        guest.pull(stick.name)
        guest.wait_for(lambda: not guest.disks(), "it is gone")
    assert not guest.console.seen("PANIC")
    assert "alive" in guest.sh("echo alive")
