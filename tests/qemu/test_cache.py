"""Both ways of synchronising (the book, chapter 5): `update`, and by force when the cache is full."""

import random
import re

import minix


def test_update_writes_after_a_while(boot, make_stick):
    guest = boot(make_stick())
    guest.sh("update 2 &")
    guest.ok("echo later > /mnt/later")
    assert not guest.holds("/later", b"later\n")
    guest.wait_for(lambda: guest.holds("/later", b"later\n"), "update syncs")
    guest.ok("kill -9 $!")  # it ignores SIGTERM


def update_of(guest):
    """Its process, as a set of one number; empty while there is none."""
    return set(re.findall(r"^(\d+) .*\bupdate\r?$", guest.sh("cat /dev/tasks"), re.MULTILINE))


def test_update_is_started_again(boot):
    guest = boot()
    first = update_of(guest)
    assert len(first) == 1
    guest.ok(f"kill -9 {first.pop()}")
    guest.wait_for(lambda: update_of(guest), "init starts another one")
    second = update_of(guest)
    guest.console.start("kill -9 -1")
    guest.console.expect("here is another one")
    guest.console.wait_prompt()
    guest.wait_for(lambda: update_of(guest) not in (set(), second), "also beside the shell")
    assert len(update_of(guest)) == 1


def test_a_full_cache_forces_writing(boot, make_stick, data):
    """Two MiB through 64 buffers: without way 2 the command would not end."""
    guest = boot(make_stick(kib=16384), append="buffers=64")
    guest.ok("dd if=/dev/zero of=/mnt/zeros bs=1024 count=2048")
    assert len(guest.volume().tree()) > 0
    guest.judge({"/zeros": bytes(2 << 20)})


def test_the_books_million_hellos(boot, make_stick):
    """The book's example for way 2 writes 12 000 000 bytes, 12 at a time."""
    guest = boot(make_stick(kib=32768), append="buffers=256")
    guest.ok("/book/write_loop", timeout=240)
    guest.judge({"/user/user1/user2/hello.txt": b"Hello, world" * 1000000})


def test_a_pull_with_a_full_cache(boot, make_stick):
    guest = boot(make_stick(kib=16384), append="buffers=64")
    guest.throttle("stick", 1 << 20)
    guest.console.start("dd if=/dev/zero of=/mnt/zeros bs=1024 count=2048")
    guest.wait_for(lambda: guest.volume().exists("/zeros"), "way 2 writes")
    guest.pull("stick")
    guest.throttle("stick", 0)
    guest.plug("stick", 3)
    guest.console.wait_prompt()
    guest.judge({"/zeros": bytes(2 << 20)})


def test_a_cache_in_disorder_is_written_in_one_sync(boot, make_stick):
    """Blocks that are neighbours on the stick stand anywhere in memory: a request has many pieces."""
    stick = make_stick(kib=16384)
    order = list(range(2400))
    random.Random(1).shuffle(order)
    image = minix.Volume.open(stick.image, writable=True)
    image.write("/in_order", bytes(len(order) * 1024))
    image.write("/shuffle", "".join(
        f"dd if=/mnt/in_order of=/dev/null bs=1024 count=1 skip={block} status=none\n"
        for block in order).encode())
    guest = boot(stick, append="buffers=2600")
    guest.ok("cat /mnt/shuffle /mnt/in_order > /dev/null")
    guest.ok("sh /mnt/shuffle", timeout=120)
    guest.ok("dd if=/dev/zero of=/mnt/zeros bs=1024 count=1800")
    guest.ok("sync")
    assert "resetting" not in guest.sh("dmesg")
    guest.judge({"/zeros": bytes(1800 << 10)})
