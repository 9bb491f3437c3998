"""MINIX file systems, version 1, in an image file: read them, and fill ones that mkfs.minix made.

It shares no code with the kernel, so that a mistake of the kernel cannot hide from a test that asks
here what an image holds. `fsck.minix` judges the structure; this module reads the contents.

    volume = Volume.open("stick.img")                 # or offset= for a partition
    volume.read("/user/user1/user2/hello.txt")
    volume.write("/notes.txt", b"...")                # only in images that no other program has open

The format (all little-endian): block 0 boot, block 1 superblock, inode bitmap, zone bitmap, inode
table with 32 inodes a block, data. Files have 7 direct zones, one indirect, one double-indirect.
"""

import mmap
import os
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass, field

BLOCK = 1024
INODES_PER_BLOCK = 32
POINTERS = BLOCK // 2
DIRECT = 7
ROOT_INODE = 1
NAME_LENGTH = {0x137F: 14, 0x138F: 30}

SUPERBLOCK = struct.Struct("<HHHHHHIHH")
INODE = struct.Struct("<HHIIBB9H")


class MinixError(Exception):
    """The image is not a MINIX v1 file system, is damaged, or does not hold what was asked for."""


@dataclass
class Inode:
    number: int
    mode: int = 0
    uid: int = 0
    size: int = 0
    mtime: int = 0
    gid: int = 0
    nlinks: int = 0
    zones: list = field(default_factory=lambda: [0] * 9)

    @property
    def is_dir(self):
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self):
        return stat.S_ISREG(self.mode)

    @property
    def is_device(self):
        return stat.S_ISCHR(self.mode) or stat.S_ISBLK(self.mode)

    @property
    def device(self):
        """(major, minor) of a device node."""
        return self.zones[0] >> 8, self.zones[0] & 0xFF


class Bitmap:
    """Bits of consecutive blocks of the image; changes go straight to it."""

    def __init__(self, image, start, bits):
        self._image, self._start, self.bits = image, start, bits

    def __getitem__(self, bit):
        return self._image[self._start + bit // 8] >> bit % 8 & 1

    def set(self, bit):
        self._image[self._start + bit // 8] |= 1 << bit % 8

    def clear(self, bit):
        self._image[self._start + bit // 8] &= ~(1 << bit % 8) & 0xFF

    def count_free(self):
        return sum(1 for bit in range(1, self.bits) if not self[bit])

    def first_free(self, start=1):
        for bit in range(start, self.bits):
            if not self[bit]:
                return bit
        return None


class Volume:
    """A file system in `image`, which is anything that can be sliced like a bytearray."""

    def __init__(self, image):
        self._image = image
        if len(image) < 2 * BLOCK:
            raise MinixError("too short for a MINIX file system")
        (self.ninodes, self.nzones, self.imap_blocks, self.zmap_blocks, self.first_data_zone,
         self.log_zone_size, self.max_size, magic, self.state) = SUPERBLOCK.unpack_from(
             image, BLOCK)
        if magic not in NAME_LENGTH:
            raise MinixError(f"no MINIX v1 file system (magic {magic:#06x})")
        self.name_length = NAME_LENGTH[magic]
        self._dirent = struct.Struct(f"<H{self.name_length}s")
        if self.nzones * BLOCK > len(image) or self.log_zone_size != 0:
            raise MinixError("the superblock does not fit the image")
        self._inode_table = (2 + self.imap_blocks + self.zmap_blocks) * BLOCK
        self.inode_map = Bitmap(image, 2 * BLOCK, self.ninodes + 1)
        self.zone_map = Bitmap(image, (2 + self.imap_blocks) * BLOCK,
                               self.nzones - self.first_data_zone + 1)
        self._next_zone = self._next_inode = 1

    @classmethod
    def open(cls, path, offset=0, writable=False):
        """A volume whose bytes are those of the file `path` from `offset` on, as they are now."""
        with open(path, "r+b" if writable else "rb") as file:
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            view = memoryview(mmap.mmap(file.fileno(), 0, access=access))
        return cls(view[offset:])

    @classmethod
    def make(cls, path, kib, names=14, inodes=None):
        """Creates the file `path` of `kib` KiB with an empty file system, and opens it."""
        with open(path, "wb") as file:
            file.truncate(kib * BLOCK)
        command = [system_tool("mkfs.minix"), "-1", "-n", str(names)]
        if inodes:
            command += ["-i", str(inodes)]
        result = subprocess.run(command + [str(path)], capture_output=True, text=True, check=False)
        if result.returncode:
            raise MinixError(f"mkfs.minix: {result.stderr.strip() or result.stdout.strip()}")
        volume = cls.open(path, writable=True)
        root = volume.inode(ROOT_INODE)
        root.uid = root.gid = 0
        volume.put_inode(root)
        return volume

    # --- reading -----------------------------------------------------------------------------

    def block(self, number):
        if not 0 < number < self.nzones:
            raise MinixError(f"block {number} is outside the file system")
        return bytes(self._image[number * BLOCK:(number + 1) * BLOCK])

    def inode(self, number):
        if not 1 <= number <= self.ninodes:
            raise MinixError(f"there is no inode {number}")
        mode, uid, size, mtime, gid, nlinks, *zones = INODE.unpack_from(
            self._image, self._inode_offset(number))
        return Inode(number, mode, uid, size, mtime, gid, nlinks, zones)

    def inode_block(self, number):
        """The block of the inode table that inode `number` stands in."""
        return self._inode_offset(number) // BLOCK

    def _inode_offset(self, number):
        return self._inode_table + (number - 1) * INODE.size

    def _pointers(self, zone):
        return struct.unpack(f"<{POINTERS}H", self.block(zone)) if zone else (0,) * POINTERS

    def data_zones(self, inode):
        """The zone of every block of a file, in order; 0 is a hole."""
        blocks = -(-inode.size // BLOCK)
        zones = list(inode.zones[:DIRECT])
        if blocks > len(zones):
            zones += self._pointers(inode.zones[7])
        if blocks > len(zones):
            for indirect in self._pointers(inode.zones[8]):
                if blocks <= len(zones):
                    break
                zones += self._pointers(indirect)
        return zones[:blocks]

    def index_zones(self, inode):
        """The zones that hold a file's pointers: indirect, double-indirect and its children."""
        zones = [inode.zones[7], inode.zones[8]]
        if inode.zones[8]:
            zones += self._pointers(inode.zones[8])
        return [zone for zone in zones if zone]

    def read_inode(self, inode):
        hole = bytes(BLOCK)
        content = b"".join(self.block(zone) if zone else hole for zone in self.data_zones(inode))
        return content[:inode.size]

    def entries(self, directory):
        """{name: inode number} of a directory inode, with "." and ".."."""
        if not directory.is_dir:
            raise MinixError(f"inode {directory.number} is not a directory")
        found = {}
        content = self.read_inode(directory)
        for offset in range(0, len(content) - self._dirent.size + 1, self._dirent.size):
            number, raw = self._dirent.unpack_from(content, offset)
            if number:
                found[raw.split(b"\0")[0].decode("latin-1")] = number
        return found

    def lookup(self, path):
        inode = self.inode(ROOT_INODE)
        for name in _parts(path):
            children = self.entries(inode)
            if name not in children:
                raise MinixError(f"{path}: no such file")
            inode = self.inode(children[name])
        return inode

    def exists(self, path):
        try:
            self.lookup(path)
        except MinixError:
            return False
        return True

    def listdir(self, path="/"):
        return sorted(name for name in self.entries(self.lookup(path)) if name not in (".", ".."))

    def read(self, path):
        inode = self.lookup(path)
        if not inode.is_file:
            raise MinixError(f"{path} is not a regular file")
        return self.read_inode(inode)

    def walk(self, path="/"):
        """(path, inode) of everything below `path`, parents first."""
        for name in self.listdir(path):
            child = f"{path.rstrip('/')}/{name}"
            inode = self.lookup(child)
            yield child, inode
            if inode.is_dir:
                yield from self.walk(child)

    def tree(self):
        """{path: bytes of a file, None of a directory, (major, minor) of a device}."""
        found = {}
        for path, inode in self.walk():
            if inode.is_dir:
                found[path] = None
            else:
                found[path] = inode.device if inode.is_device else self.read_inode(inode)
        return found

    def free_blocks(self):
        return self.zone_map.count_free()

    def free_inodes(self):
        return self.inode_map.count_free()

    # --- writing -----------------------------------------------------------------------------

    def mkdir(self, path, mode=0o755, mtime=0):
        parent, name = self._parent_of(path)
        inode = self._new_inode(stat.S_IFDIR | mode, mtime)
        inode.nlinks = 2
        content = self._entry(inode.number, ".") + self._entry(parent.number, "..")
        self._set_content(inode, content)
        self._link(parent, name, inode.number)
        parent.nlinks += 1
        self.put_inode(parent)

    def write(self, path, data, mode=0o644, mtime=0):
        """Creates a file; one that exists is refused."""
        parent, name = self._parent_of(path)
        inode = self._new_inode(stat.S_IFREG | mode, mtime)
        inode.nlinks = 1
        self._set_content(inode, data)
        self._link(parent, name, inode.number)

    def mknod(self, path, kind, major, minor, mode=0o600, mtime=0):
        """Creates a device node; kind is "c" or "b"."""
        parent, name = self._parent_of(path)
        inode = self._new_inode((stat.S_IFCHR if kind == "c" else stat.S_IFBLK) | mode, mtime)
        inode.nlinks = 1
        inode.zones[0] = major << 8 | minor
        self.put_inode(inode)
        self._link(parent, name, inode.number)

    def link(self, existing, path):
        """Gives the file `existing` a second name."""
        inode = self.lookup(existing)
        inode.nlinks += 1
        self.put_inode(inode)
        parent, name = self._parent_of(path)
        self._link(parent, name, inode.number)

    def put_inode(self, inode):
        INODE.pack_into(self._image, self._inode_offset(inode.number), inode.mode, inode.uid,
                        inode.size, inode.mtime, inode.gid, inode.nlinks, *inode.zones)

    def put_block(self, number, data):
        self._image[number * BLOCK:(number + 1) * BLOCK] = bytes(data).ljust(BLOCK, b"\0")

    def _parent_of(self, path):
        *parents, name = _parts(path)
        parent = self.lookup("/".join(parents))
        if not name or len(name) > self.name_length:
            raise MinixError(f"{name!r} is not a name of at most {self.name_length} characters")
        if name in self.entries(parent):
            raise MinixError(f"{path} exists")
        return parent, name

    def _entry(self, number, name):
        return self._dirent.pack(number, name.encode("latin-1"))

    def _new_inode(self, mode, mtime):
        number = self.inode_map.first_free(self._next_inode)
        if number is None:
            raise MinixError("no free inode")
        self._next_inode = number + 1
        self.inode_map.set(number)
        return Inode(number, mode=mode, mtime=int(mtime))

    def _new_zone(self):
        bit = self.zone_map.first_free(self._next_zone)
        if bit is None:
            raise MinixError("no free block")
        self._next_zone = bit + 1
        self.zone_map.set(bit)
        return bit + self.first_data_zone - 1

    def _set_content(self, inode, data):
        inode.size = len(data)
        for index in range(-(-len(data) // BLOCK)):
            self.put_block(self._map(inode, index), data[index * BLOCK:(index + 1) * BLOCK])
        self.put_inode(inode)

    def _link(self, directory, name, number):
        """Writes an entry into the first free place of a directory, or at its end."""
        content = self.read_inode(directory)
        size = self._dirent.size
        offset = 0
        while offset < len(content) and self._dirent.unpack_from(content, offset)[0]:
            offset += size
        zone = self._map(directory, offset // BLOCK)
        # An entry of 16 or 32 bytes never straddles two blocks.
        start = zone * BLOCK + offset % BLOCK
        self._image[start:start + size] = self._entry(number, name)
        directory.size = max(directory.size, offset + size)
        self.put_inode(directory)

    def _map(self, inode, index):
        """The zone of block `index` of a file, allocated (and empty) if there was none."""
        if index < DIRECT:
            return self._slot_in_inode(inode, index)
        index -= DIRECT
        if index < POINTERS:
            return self._slot_in_block(self._slot_in_inode(inode, 7), index)
        index -= POINTERS
        double = self._slot_in_inode(inode, 8)
        return self._slot_in_block(self._slot_in_block(double, index // POINTERS), index % POINTERS)

    def _slot_in_inode(self, inode, slot):
        if not inode.zones[slot]:
            inode.zones[slot] = self._empty_zone()
        return inode.zones[slot]

    def _slot_in_block(self, zone, slot):
        offset = zone * BLOCK + 2 * slot
        found, = struct.unpack_from("<H", self._image, offset)
        if not found:
            found = self._empty_zone()
            struct.pack_into("<H", self._image, offset, found)
        return found

    def _empty_zone(self):
        zone = self._new_zone()
        self.put_block(zone, b"")
        return zone


def _parts(path):
    return [part for part in path.split("/") if part]


def system_tool(name):
    """The path of a system tool; those of a system administrator are not in every user's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise MinixError(f"{name} is missing; `make doctor` says how to get it")
    return found


def fsck(path):
    """What fsck.minix has to complain about in an image: "" if nothing.

    -f: an image that calls itself valid is checked nevertheless. -m: uncleared modes count too.
    Some findings leave the exit status at 0, so that the text decides as well.
    """
    result = subprocess.run([system_tool("fsck.minix"), "-f", "-m", str(path)],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    text = result.stdout + result.stderr
    harmless = ("Forcing filesystem check", "fsck.minix from util-linux")
    complaints = [line for line in text.splitlines()
                  if line.strip() and not line.startswith(harmless)]
    if result.returncode and not complaints:
        complaints = [f"fsck.minix ended with status {result.returncode}"]
    return "\n".join(complaints)


def fsck_partition(path, offset, length, scratch):
    """The same for a partition: its bytes are copied to the file `scratch` first."""
    with open(path, "rb") as source, open(scratch, "wb") as target:
        source.seek(offset)
        target.write(source.read(length))
    return fsck(scratch)
