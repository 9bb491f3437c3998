"""Media that fail in one place, or are full: the call that asked gets an error, and nothing else
happens."""

import minix

SECTORS_PER_BLOCK = 2
HELLO3 = "/user/user1/user2/hello3.txt"


def failing_at(make_stick, event, path):
    """A stick on which the first block of a file fails at every event of one kind."""
    stick = make_stick()
    volume = minix.Volume.open(stick.image)
    block = volume.lookup(path).zones[0]
    stick.faults = (f"inject-error.0.event={event}", "inject-error.0.errno=5",
                    f"inject-error.0.sector={block * SECTORS_PER_BLOCK}")
    return stick


def test_a_bad_block_is_an_error_for_its_reader_alone(boot, make_stick):
    guest = boot(failing_at(make_stick, "read_aio", HELLO3))
    assert guest.status(f"cat /mnt{HELLO3} > /dev/null") != 0
    assert guest.status("cat /mnt/user/user1/user2/hello1.txt > /dev/null") == 0
    guest.ok("echo still > /mnt/still")
    guest.judge({"/still": b"still\n"})


def test_a_block_that_cannot_be_written_is_told_by_sync(boot, make_stick):
    guest = boot(failing_at(make_stick, "write_aio", HELLO3))
    guest.leave_open("a block waits to the end: it cannot be written")
    guest.ok("echo first > /mnt/first")
    guest.sh(f"echo other > /mnt{HELLO3}")
    assert guest.status("sync") != 0
    assert guest.holds("/first", b"first\n")
    assert "alive" in guest.sh("echo alive")


def test_a_full_stick(boot, make_stick):
    guest = boot(make_stick(kib=512))
    assert guest.status("dd if=/dev/zero of=/mnt/zeros bs=1024 count=1024") != 0
    guest.ok("rm /mnt/zeros")
    guest.ok("echo room > /mnt/room")
    guest.judge({"/room": b"room\n"})
