"""Pulls at every kind of moment, returns into every kind of port."""

import random
import re
import time

import minix
import pytest
from guest import AWAITED, RETURNED

MIB = 1 << 20
HELLO = "/user/user1/user2/hello.txt"


@pytest.fixture(name="source")
def make_source(make_stick, data):
    """A second stick with a file of a MiB to copy from: (stick, bytes)."""
    content = data(MIB)
    stick = make_stick("source", kib=2048, book=False, port=4, read_only=True)
    minix.Volume.open(stick.image, writable=True).write("/random.bin", content)
    return stick, content


def boot_with_source(boot, stick, source, **options):
    guest = boot(stick, **options)
    guest.insert(source)
    guest.wait_disk("sdb")
    guest.ok("mkdir /tmp/source")
    guest.ok("mount /dev/sdb /tmp/source")
    return guest


def test_ckpt_tells_which_files_wait_and_the_processes(boot, make_stick):
    guest = boot(make_stick())
    guest.leave_open("a program runs to the end")
    guest.ok("{ echo held; sleep 10000; } > /mnt/log &")
    guest.wait_for(lambda: " held  /mnt/log" in guest.sh("ckpt files"), "a block is dirty")
    guest.pull()
    lines = guest.ok("ckpt files sda")
    assert re.search(r"^sda +2 held  /mnt/log  [0-9]+ \(\w+\)", lines, re.MULTILINE), lines
    assert guest.ok("ckpt files /dev/sda") == lines
    assert guest.status("ckpt files sdb") == 1
    guest.come_back()
    guest.judge({"/log": b"held\n"})


def test_never_pulled(boot, make_stick, source, bus):
    controller, port = bus
    stick, content = source
    guest = boot_with_source(boot, make_stick(port=port), stick, controller=controller)
    guest.ok(f"echo Hello, world > /mnt{HELLO}")
    guest.ok("cp /tmp/source/random.bin /mnt/random.bin")
    guest.ok("sync")
    assert guest.holds(HELLO, b"Hello, world\n")
    assert guest.holds("/random.bin", content)
    guest.judge({HELLO: b"Hello, world\n", "/random.bin": content})


def test_pulled_idle_and_dirty(boot, make_stick, bus):
    controller, port = bus
    guest = boot(make_stick(port=port), controller=controller)
    guest.ok(f"echo Hello, world > /mnt{HELLO}")
    assert not guest.holds(HELLO, b"Hello, world\n")
    guest.pull()
    assert "Hello, world" in guest.sh(f"cat /mnt{HELLO}")  # cached reads go on
    guest.come_back(port=port % 4 + (5 if port > 4 else 1))
    guest.wait_for(lambda: guest.holds(HELLO, b"Hello, world\n"), "hello.txt arrives")
    guest.judge({HELLO: b"Hello, world\n"})


def test_pulled_in_a_transfer(boot, make_stick, source, bus):
    controller, port = bus
    stick, content = source
    guest = boot_with_source(boot, make_stick(port=port), stick, controller=controller)
    guest.ok("cp /tmp/source/random.bin /mnt/random.bin")
    guest.pull_in_transfer(content)
    guest.console.wait_prompt()
    guest.come_back(port=2 if port > 4 else 6)  # the other speed
    guest.judge({"/random.bin": content})


def test_pulled_again_in_the_replay(boot, make_stick, source):
    stick, content = source
    guest = boot_with_source(boot, make_stick(), stick)
    guest.ok("cp /tmp/source/random.bin /mnt/random.bin")
    guest.pull_in_transfer(content)
    guest.console.wait_prompt()
    for port in (2, 3, 5):
        arrived = guest.blocks_present(content)
        guest.throttle("stick", 256 << 10)
        guest.plug("stick", port)
        guest.wait_for(lambda: guest.blocks_present(content) > arrived + 16, "the replay writes")
        guest.pull("stick")
        guest.throttle("stick", 0)
        guest.console.expect(AWAITED)
    guest.come_back(port=1)
    guest.judge({"/random.bin": content})


def test_pulled_clean_it_comes_back_the_same_way(boot, make_stick):
    guest = boot(make_stick())
    guest.ok(f"echo Hello, world > /mnt{HELLO}")
    guest.ok("sync")
    before = guest.snapshot()
    guest.pull("stick")
    guest.plug("stick", port=6)
    guest.wait_for(lambda: "live" in guest.sh("ckpt"), "the volume lives again")
    assert "Hello, world" in guest.sh(f"cat /mnt{HELLO}")
    assert guest.snapshot() == before
    guest.judge({HELLO: b"Hello, world\n"})


def test_fifty_pulls_under_load(boot, make_stick, source):
    """A copy and a sync run each time; a seed chose the moments of the pulls and the ports."""
    choice = random.Random(50)
    stick, content = source
    guest = boot_with_source(boot, make_stick(), stick)
    for turn in range(50):
        path = f"/mnt/random{turn % 4}"
        guest.console.start(f"cp /tmp/source/random.bin {path}; sync")
        time.sleep(choice.uniform(0, 0.5))
        guest.pull("stick")
        time.sleep(choice.choice([0, 0, 0.1]))
        guest.plug("stick", port=choice.choice([1, 2, 3, 5, 6]))
        guest.console.wait_prompt()
    guest.wait_state("live")
    guest.ok("sync")
    guest.judge({f"/random{number}": content for number in range(4)})


def test_a_program_waits_for_the_stick_and_goes_on(boot, make_stick):
    """New writes wait while the stick is away (rule 4)."""
    guest = boot(make_stick())
    guest.ok("echo first > /mnt/first")
    guest.pull()
    guest.console.start("echo second > /mnt/second")
    guest.plug("stick", 3)
    guest.console.wait_seen(RETURNED)
    guest.console.wait_prompt()
    guest.judge({"/first": b"first\n", "/second": b"second\n"})
