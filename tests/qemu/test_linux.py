"""A real Linux edits a stick that is away: it is refused when it comes back, whatever was edited.

The peer (../shared/peers/linux) boots once, and gets a copy of the stick for each edit.
"""

import minix
import pytest
from guest import CONFLICT
from measure.guests import PEER, prepare_peer

FILES = ("plain", "victim", "moved", "longer", "shorter", "mode", "time", "linked")

# What Linux does in a directory of the stick. None of these files is held or in use here.
EDITS = {
    "overwrite in place": "echo -n OTHER | busybox dd of=plain conv=notrunc",
    "create": "echo new > new",
    "create empty": ": > new",
    "append": "echo more >> longer",
    "truncate": ": > shorter",
    "unlink": "rm victim",
    "rename": "busybox mv moved renamed",
    "rename to a directory": "busybox mv moved dir/moved",
    "replace": "busybox mv moved victim",
    "mkdir": "mkdir made",
    "rmdir": "busybox rmdir empty",
    "chmod": "busybox chmod 600 mode",
    "touch": "busybox touch time",
    "link": "busybox ln linked dir/again",
    "symlink": "busybox ln -s plain soft",
    "mknod": "busybox mknod node c 1 3",
}


class Linux:
    """The peer with one stick in its port, which can be changed."""

    def __init__(self, peer, work, image):
        self._guest = peer.Guest(str(work), "usb3-bot-nodelay", str(image))
        try:
            self._guest.expect("@mounted", 180)
        except BaseException:
            self._guest.kill()
            raise

    def run(self, command):
        output, status = self._guest.sh(command)
        assert status == 0, f"{command}: {status} {output}"

    def change_stick(self, image):
        qmp = self._guest.qmp
        qmp("device_del", event="DEVICE_DELETED", id="stick")
        for node in ("media", "file0"):
            qmp("blockdev-del", **{"node-name": node})
        self.run("while [ -b /dev/$disk ]; do usleep 5000; done")
        qmp("blockdev-add", **{"driver": "file", "node-name": "file0", "filename": str(image)})
        qmp("blockdev-add", **{"driver": "raw", "node-name": "media", "file": "file0"})
        qmp("device_add", driver="usb-storage", id="stick", bus="xhci.0", port="1", drive="media",
            serial="PEER0001")
        self.run("wait_disk; mnt $disk")

    def unmount(self):
        self.run("cd /; umount /mnt; sync")

    def end(self):
        self._guest.kill()


@pytest.fixture(name="peer", scope="module")
def linux_peer():
    peer = prepare_peer()
    if not peer:
        pytest.skip(f"the peer is not there ({PEER})")
    return peer


def edited_copies(peer, work, image):
    """{edit: bytes of the stick after it}; of None: mounted and unmounted alone."""
    copies = {}
    linux = None
    try:
        for edit in (None, *EDITS):
            copy = work / "copy.img"
            copy.write_bytes(image)
            if linux:
                linux.change_stick(copy)
            else:
                linux = Linux(peer, work, copy)
            linux.run("cd /mnt/far")
            linux.run(f"({EDITS[edit]}) 2> /dev/null" if edit else "busybox ls -lR > /dev/null")
            linux.unmount()
            copies[edit] = copy.read_bytes()
    finally:
        if linux:
            linux.end()
    return copies


def fill_inode_blocks(volume, name):
    """So many that no inode behind them is read together with one before them."""
    for number in range(300):
        volume.write(f"/far/{name}{number}", b"")


def test_whatever_linux_edits_is_a_conflict(boot, make_stick, peer, tmp_path):
    stick = make_stick()
    volume = minix.Volume.open(stick.image, writable=True)
    volume.mkdir("/far")
    fill_inode_blocks(volume, "before")
    for name in FILES:
        volume.write(f"/far/{name}", name.encode() * 300)
    volume.mkdir("/far/dir")
    volume.mkdir("/far/empty")
    fill_inode_blocks(volume, "behind")
    guest = boot(stick, append="hold=3000")
    guest.ok("echo mine > /mnt/mine")
    guest.pull()
    copies = edited_copies(peer, tmp_path, stick.image.read_bytes())
    for edit in EDITS:
        assert copies[edit] != copies[None], f"{edit} changes nothing"
        stick.image.write_bytes(copies[edit])
        guest.plug()
        guest.console.expect(CONFLICT)
        guest.wait_state("conflict")
        guest.pull()
        guest.wait_state("absent")
        assert stick.image.read_bytes() == copies[edit], f"{edit}: it was written to"
    stick.image.write_bytes(copies[None])
    guest.come_back()
    guest.judge({"/mine": b"mine\n", "/far/plain": b"plain" * 300})
