"""What programs see while a stick is away, and when it never comes back (docs/checkpoint.md, The
semantics table)."""

import minix
import pytest
from guest import AWAITED, RETURNED

HELLO = "/user/user1/user2/hello.txt"


@pytest.fixture(name="pulled")
def pull_dirty_stick(boot, make_stick):
    """pulled(append) → a guest whose stick was pulled with hello.txt unwritten."""
    def make(append="", **options):
        guest = boot(make_stick(**options), append=append)
        guest.ok(f"echo Hello, world > /mnt{HELLO}")
        guest.pull()
        return guest
    return make


def test_an_absent_stick_is_asked_for(pulled):
    guest = pulled()
    message = guest.console.expect(AWAITED).group()
    assert "serial STICK" in message and "left" in message


def test_sync_leaves_the_absent_stick_out(pulled):
    guest = pulled()
    guest.sh("sync")  # row 22: it returns
    guest.come_back(port=2)
    guest.judge({HELLO: b"Hello, world\n"})


def test_hold_expires_and_the_lost_files_are_named(pulled):
    guest = pulled("hold=3")
    guest.console.expect("^LOST: .*hello.txt")
    guest.wait_state("dead")
    assert guest.status(f"cat /mnt{HELLO}") != 0
    assert guest.status("umount /mnt") != 0  # it is unmounted, and told that something is lost
    assert "/mnt" not in guest.sh("mount")
    # Row 16: it comes back as a stick that lost something, and nothing old is written to it.
    before = guest.snapshot()
    guest.plug("stick", 2)
    guest.wait_for(lambda: guest.disks(), "it is there")
    assert guest.snapshot() == before


def test_ckpt_drops_a_set(pulled):
    guest = pulled()
    before = guest.snapshot()
    guest.ok("ckpt drop sda")
    assert guest.console.seen("^LOST: .*hello.txt")
    guest.sh("umount /mnt")
    guest.plug("stick", 2)
    guest.wait_for(lambda: guest.disks(), "it is there")
    assert guest.snapshot() == before


def test_ckpt_sets_the_times(pulled):
    guest = pulled()
    guest.ok("ckpt hold 2")
    guest.console.expect("^LOST: .*hello.txt")


def test_umount_waits_and_can_be_interrupted(pulled):
    guest = pulled()
    guest.console.start("umount /mnt")
    guest.interrupt()
    guest.console.start("umount /mnt")
    guest.plug("stick", 2)
    guest.console.expect(RETURNED)
    guest.console.wait_prompt()
    assert guest.holds(HELLO, b"Hello, world\n")
    guest.poweroff()
    assert minix.fsck(guest.sticks["stick"].image) == ""


def test_umount_by_force_gives_up(pulled):
    guest = pulled()
    before = guest.snapshot()
    guest.ok("umount -f /mnt")
    assert guest.console.seen("^LOST: .*hello.txt")
    guest.plug("stick", 2)
    guest.wait_for(lambda: guest.disks(), "it is there")
    assert guest.snapshot() == before


def test_a_writer_gets_an_error_after_io_wait(pulled):
    guest = pulled("io_wait=2")
    assert guest.status("echo more > /mnt/more", timeout=30) != 0
    guest.come_back(port=2)
    guest.judge({HELLO: b"Hello, world\n"})


def test_a_waiting_writer_can_be_interrupted(pulled):
    guest = pulled()
    guest.console.start("echo more > /mnt/more")
    guest.interrupt()
    guest.come_back(port=2)
    guest.judge({HELLO: b"Hello, world\n"})


def test_a_reader_of_what_is_not_cached_gets_an_error_after_io_wait(pulled):
    guest = pulled("io_wait=2")
    assert guest.status("cat /mnt/user/user1/user2/hello3.txt", timeout=30) != 0
    guest.come_back(port=2)


def test_hold_0_is_the_classic_behaviour(boot, make_stick):
    guest = boot(make_stick(), append="hold=0")
    guest.ok(f"echo Hello, world > /mnt{HELLO}")
    guest.ok("sync")
    guest.judge({HELLO: b"Hello, world\n"})


def test_write_errors_reach_sync(boot, make_stick):
    """The medium refuses every write: sync must say so."""
    guest = boot(make_stick(faults=("inject-error.0.event=write_aio", "inject-error.0.errno=5",
                                     "inject-error.0.iotype=write")))
    guest.leave_open("blocks wait to the end: they cannot be written")
    guest.sh(f"echo Hello, world > /mnt{HELLO}")
    assert guest.status("sync") != 0
    assert "alive" in guest.sh("echo alive")


def test_a_failed_flush_releases_nothing(boot, make_stick):
    """The writes arrive, the first SYNCHRONIZE CACHE fails: the blocks stay held (rule 3)."""
    faults = ("inject-error.0.event=flush_to_disk", "inject-error.0.errno=5",
              "inject-error.0.once=on")
    guest = boot(make_stick(faults=faults))
    guest.ok(f"echo Hello, world > /mnt{HELLO}")
    guest.sh("sync")
    guest.pull("stick")
    guest.plug("stick", 2)
    guest.wait_state("live")
    guest.ok("sync")
    guest.judge({HELLO: b"Hello, world\n"})


def test_force_writes_to_a_stick_that_was_changed_elsewhere(pulled):
    """The user's choice in a conflict (rule 8)."""
    guest = pulled()
    volume = minix.Volume.open(guest.sticks["stick"].image, writable=True)
    inode = volume.lookup("/user/user1/user2")
    inode.mtime += 1
    volume.put_inode(inode)
    guest.plug("stick", 2)
    guest.wait_state("conflict")
    guest.ok("ckpt force sda")
    guest.wait_state("live")
    guest.judge({HELLO: b"Hello, world\n"})
