"""poweroff and reboot lose nothing that waits for a stick, unless they are told to with -f."""

import minix
import pytest
from guest import CONFLICT

HELLO = "/hello.txt"
CONTENT = b"Hello, world\n"
STAYS_ON = r"The machine stays on: .*\(serial STICK\) (is away|cannot be written)"


@pytest.fixture(name="pulled")
def pull_dirty_stick(boot, make_stick):
    """pulled() → a guest whose stick was pulled with hello.txt unwritten."""
    def make(*more, **options):
        guest = boot(make_stick(), *more, **options)
        guest.ok(f"echo Hello, world > /mnt{HELLO}")
        guest.pull()
        return guest
    return make


@pytest.mark.parametrize("command", ["poweroff", "reboot"])
def test_it_is_refused_before_any_program_is_ended(pulled, command):
    guest = pulled()
    guest.ok("sleep 10000 &")
    said = guest.sh(command)
    assert "stays on: plug the stick in, or give up what waits with -f" in said
    assert guest.console.seen(STAYS_ON) and guest.console.seen(r"^Waiting: /mnt/hello.txt \(")
    assert not guest.console.seen("LOST")
    tasks = guest.sh("ps")
    assert "sleep" in tasks and "update" in tasks
    guest.come_back(port=6)
    guest.ok("kill $!")
    guest.judge({HELLO: CONTENT})


def test_the_exit_status_tells(pulled):
    guest = pulled()
    assert guest.status("poweroff") == 1
    assert guest.status("poweroff -x") == 2
    guest.come_back()
    guest.poweroff()


def test_it_goes_on_when_the_stick_comes_back(pulled):
    guest = pulled()
    guest.console.start("poweroff")
    guest.console.expect("Plug the stick in: +[0-9]+ s left")
    guest.plug()
    assert guest.wait_end() == 0
    assert guest.holds(HELLO, CONTENT)


def test_the_countdown_can_be_interrupted(pulled):
    guest = pulled()
    guest.console.start("poweroff")
    guest.console.expect("Plug the stick in: +[0-9]+ s left")
    guest.interrupt()
    guest.come_back()
    guest.judge({HELLO: CONTENT})


def test_a_conflict_is_not_waited_for(pulled):
    guest = pulled()
    image = guest.sticks["stick"].image
    volume = minix.Volume.open(image, writable=True)
    volume.write("/other", b"written elsewhere")
    guest.plug()
    guest.console.expect(CONFLICT)
    said = guest.sh("poweroff")
    assert "stays on" in said and "Plug the stick in:" not in said
    guest.ok("ckpt keep sda")


def test_by_force_it_names_what_is_lost(pulled, make_stick):
    guest = pulled()
    guest.insert(make_stick("other", kib=512, port=2))
    guest.wait_disk("sdb")
    before = guest.snapshot()
    guest.ok("mkdir /tmp/other")
    guest.ok("mount /dev/sdb /tmp/other")
    guest.ok("echo safe > /tmp/other/safe")
    guest.console.start("poweroff -f")
    guest.console.expect(r"^LOST: /mnt/hello.txt \(")
    assert guest.wait_end() == 0
    assert guest.snapshot() == before
    assert guest.holds("/safe", b"safe\n", "other")


def test_by_force_it_boots_again(pulled):
    guest = pulled(reboots=True)
    guest.console.start("reboot -f")
    guest.console.expect(r"^LOST: /mnt/hello.txt \(")
    guest.console.wait_prompt()
    guest.remember_counts()
    guest.poweroff()


def test_raw_blocks_of_an_unmounted_stick_count(boot, make_stick):
    guest = boot(make_stick(book=False, kib=1024))
    guest.ok("umount /mnt")
    guest.leave_open("a program runs to the end")
    guest.ok("{ echo raw bytes; sleep 10000; } > /dev/sda &")  # open: its close would write them
    guest.wait_for(lambda: " 1 held" in guest.volume_line(), "a block is dirty")
    guest.pull()
    assert guest.status("poweroff") == 1
    assert guest.console.seen(STAYS_ON)
    guest.come_back()
    guest.poweroff()
    assert guest.snapshot().startswith(b"raw bytes\n")


def test_a_stick_that_refuses_its_blocks(boot, make_stick):
    faults = ("inject-error.0.event=write_aio", "inject-error.0.errno=5",
              "inject-error.0.iotype=write")  # without it, reads fail too after the first write
    guest = boot(make_stick(faults=faults))
    guest.sh(f"echo Hello, world > /mnt{HELLO}")
    assert guest.status("poweroff", timeout=120) == 1
    assert guest.console.seen("The machine stays on: .* cannot be written, and")
    assert "alive" in guest.sh("echo alive")
    guest.console.start("poweroff -f")
    guest.console.expect(r"^LOST: .* cannot be written", timeout=120)
    guest.console.expect(r"^LOST: /mnt/hello.txt \(")
    assert guest.wait_end() == 0


def test_it_can_be_interrupted(boot, make_stick):
    """^C while it writes: the machine stays on, and nothing has been ended."""
    numbers = b"".join(b"%d\n" % number for number in range(1, 150001))
    guest = boot(make_stick())
    guest.ok("sleep 10000 &")
    guest.ok("seq 150000 > /mnt/numbers")
    guest.throttle("stick", 256 << 10)
    guest.console.start("poweroff")
    guest.wait_for(lambda: guest.blocks_present(numbers) >= 16, "blocks arrive")
    guest.console.send("\x03")
    guest.throttle("stick", 0)
    guest.console.wait_prompt()
    assert "sleep" in guest.sh("ps")
    guest.ok("kill $!")
    guest.judge({"/numbers": numbers})


def test_a_late_refusal_begins_the_session_again(boot, make_stick):
    """The mark "unmounted", the very last block, is refused: by then the programs have ended. From
    the first flush on this stick fails every write to its superblock."""
    faults = ("set-state.0.event=flush_to_disk", "set-state.0.state=1", "set-state.0.new_state=2",
              "inject-error.0.event=write_aio", "inject-error.0.errno=5",
              "inject-error.0.state=2", "inject-error.0.sector=2")
    guest = boot(make_stick(faults=faults))
    guest.ok("sync")
    guest.ok(f"echo Hello, world > /mnt{HELLO}")
    guest.ok("sleep 10000 &")
    guest.console.start("poweroff")
    guest.console.expect("The machine stays on: .* cannot be written, and 1 block waits for it")
    guest.console.expect("Process 1 has ended")
    guest.console.wait_prompt()
    tasks = guest.sh("ps")
    assert "update" in tasks and "sleep" not in tasks
    assert guest.holds(HELLO, CONTENT)
    guest.console.start("poweroff -f")
    guest.console.expect("^LOST: 1 block of directories and of the file system itself")
    assert guest.wait_end() == 0
