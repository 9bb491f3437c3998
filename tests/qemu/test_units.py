"""Devices of several logical units: a stick that shows a CD-ROM, a reader whose card goes and comes."""

import pytest
from guest import AWAITED, RETURNED
from minix import Volume, fsck


def plug_in(guest, units):
    """Plugs a device in whose units are these QEMU devices; `drive` names an image."""
    guest.qmp("device_add", driver="usb-bot", id="reader", bus="xhci.0", port="3")
    for number, unit in enumerate(units):
        guest.qmp("device_add", bus="reader.0", lun=number, id=f"unit{number}", **unit)
    guest.qmp("qom-set", path="/machine/peripheral/reader", property="attached", value=True)


@pytest.fixture(name="card")
def card_image(tmp_path):
    image = tmp_path / "card.img"
    Volume.make(image, 4096)
    return image


def open_card(guest, image):
    guest.qmp("blockdev-add", **{"driver": "raw", "node-name": "card",
                                 "file": {"driver": "file", "filename": str(image)}})


def use(guest):
    """Mounts the disk, unless the guest has done so by itself at the end of its start."""
    guest.wait_disk("sda")
    guest.sh("mount /dev/sda /mnt")
    guest.wait_for(lambda: "/dev/sda /mnt" in guest.sh("cat /dev/mounts"), "it is mounted")


def test_the_disk_behind_a_cd_rom_is_used(boot, card):
    guest = boot()
    open_card(guest, card)
    plug_in(guest, [{"driver": "scsi-cd"}, {"driver": "scsi-hd", "drive": "card"}])
    guest.console.expect(r"usb \d+-\d+: 2 units")
    use(guest)
    guest.ok("echo behind a CD-ROM > /mnt/file")
    guest.ok("umount /mnt")
    guest.qmp("device_del", id="reader")
    guest.wait_for(lambda: "sda" not in guest.disks(), "the reader has left")
    assert Volume.open(card).read("/file") == b"behind a CD-ROM\n"


def test_a_card_goes_and_comes_while_its_reader_stays(boot, card):
    """Row 8, with a block that the card has not seen."""
    guest = boot()
    open_card(guest, card)
    plug_in(guest, [{"driver": "scsi-cd"},
                    {"driver": "scsi-hd", "removable": True, "drive": "card"}])
    use(guest)
    guest.ok("echo kept > /mnt/file")
    guest.qmp("blockdev-open-tray", id="unit1", force=True)
    guest.qmp("blockdev-remove-medium", id="unit1")
    guest.console.expect(AWAITED)
    guest.qmp("blockdev-insert-medium", id="unit1", **{"node-name": "card"})
    guest.qmp("blockdev-close-tray", id="unit1")
    guest.console.expect(RETURNED)
    guest.ok("umount /mnt")
    guest.qmp("device_del", id="reader")
    guest.wait_for(lambda: "sda" not in guest.disks(), "the reader has left")
    assert Volume.open(card).read("/file") == b"kept\n"
    assert fsck(card) == ""
