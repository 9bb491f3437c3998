"""tools/minix.py judges what the kernel wrote, so it is itself tested here: by fsck.minix, by a
round trip, and by damage that it must notice."""

import random
import stat

import minix
import pytest


@pytest.fixture(params=[14, 30])
def volume(request, tmp_path):
    return minix.Volume.make(tmp_path / "image", 4096, names=request.param)


def image_of(tmp_path):
    return tmp_path / "image"


def test_empty_image_is_clean(volume, tmp_path):
    assert volume.tree() == {}
    assert minix.fsck(image_of(tmp_path)) == ""


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 7 * 1024, 7 * 1024 + 1, 519 * 1024,
                                  519 * 1024 + 1, 600 * 1024 + 5])
def test_files_of_every_index_depth_come_back(tmp_path, size):
    volume = minix.Volume.make(image_of(tmp_path), 4096)
    data = random.Random(size).randbytes(size)
    volume.write("/file", data)
    assert minix.Volume.open(image_of(tmp_path)).read("/file") == data
    assert minix.fsck(image_of(tmp_path)) == ""


def test_directories_nodes_and_links(volume, tmp_path):
    volume.mkdir("/user")
    volume.mkdir("/user/user1")
    volume.write("/user/user1/hello.txt", b"Hello, world\n")
    volume.link("/user/user1/hello.txt", "/again")
    volume.mknod("/sda1", "b", 8, 1)
    assert minix.fsck(image_of(tmp_path)) == ""
    assert volume.tree() == {"/again": b"Hello, world\n", "/sda1": (8, 1), "/user": None,
                             "/user/user1": None, "/user/user1/hello.txt": b"Hello, world\n"}
    assert volume.lookup("/again").nlinks == 2
    assert stat.S_ISBLK(volume.lookup("/sda1").mode)


def test_directory_of_many_blocks(volume, tmp_path):
    names = [f"file{number}" for number in range(200)]
    for name in names:
        volume.write("/" + name, name.encode())
    assert volume.listdir() == sorted(names)
    assert minix.fsck(image_of(tmp_path)) == ""


def test_free_counts_follow_allocation(volume):
    blocks, inodes = volume.free_blocks(), volume.free_inodes()
    volume.write("/file", bytes(8 * 1024))
    assert volume.free_blocks() == blocks - 9  # eight, and the indirect one
    assert volume.free_inodes() == inodes - 1


def test_what_is_not_there_is_refused(volume):
    with pytest.raises(minix.MinixError):
        volume.read("/nothing")
    with pytest.raises(minix.MinixError):
        volume.mkdir("/no/parent")
    volume.write("/twice", b"")
    with pytest.raises(minix.MinixError):
        volume.write("/twice", b"")
    with pytest.raises(minix.MinixError):
        volume.write("/" + "n" * (volume.name_length + 1), b"")


def test_full_file_system_is_refused(tmp_path):
    volume = minix.Volume.make(image_of(tmp_path), 64)
    with pytest.raises(minix.MinixError):
        volume.write("/large", bytes(100 * 1024))


def test_other_images_are_refused(tmp_path):
    image_of(tmp_path).write_bytes(bytes(65536))
    with pytest.raises(minix.MinixError):
        minix.Volume.open(image_of(tmp_path))


def damaged(tmp_path, damage):
    """fsck.minix's complaints about an image with one file after `damage(volume)`."""
    volume = minix.Volume.make(image_of(tmp_path), 1024)
    volume.write("/file", bytes(20 * 1024))
    assert minix.fsck(image_of(tmp_path)) == ""
    damage(volume)
    return minix.fsck(image_of(tmp_path))


def test_leaked_zone_is_noticed(tmp_path):
    assert damaged(tmp_path, lambda volume: volume.zone_map.set(500))


def test_freed_zone_in_use_is_noticed(tmp_path):
    assert damaged(tmp_path, lambda volume: volume.zone_map.clear(2))


def test_orphan_inode_is_noticed(tmp_path):
    assert damaged(tmp_path, lambda volume: volume.inode_map.set(50))


def test_wrong_link_count_is_noticed(tmp_path):
    def damage(volume):
        inode = volume.lookup("/file")
        inode.nlinks = 3
        volume.put_inode(inode)
    assert damaged(tmp_path, damage)


def test_zone_outside_the_disk_is_noticed(tmp_path):
    def damage(volume):
        inode = volume.lookup("/file")
        inode.zones[0] = 60000
        volume.put_inode(inode)
    assert damaged(tmp_path, damage)
