"""A stick comes back while the process table or the memory is full: what it needs was reserved."""

import pytest

PRECIOUS = b"precious\n"


@pytest.fixture(name="full", params=["crowd", "hog"])
def full_machine(request, boot, make_stick):
    """full(sticks) → a guest that holds a file unwritten, and has no process or no page left."""
    def make(*more, **options):
        guest = boot(make_stick(), *more, memory="64M", append="hold=60", **options)
        guest.ok("echo precious > /mnt/precious")
        assert not guest.holds("/precious", PRECIOUS)
        guest.console.start(f"/test/{request.param} hold")
        guest.console.expect("^(memory|the process table) is full")
        return guest
    return make


def test_a_full_machine_takes_its_stick_back(full, bus):
    controller, port = bus
    guest = full(controller=controller)
    guest.pull()
    guest.come_back(port=port)
    assert guest.holds("/precious", PRECIOUS)
    guest.interrupt()
    guest.judge({"/precious": PRECIOUS})


def test_also_with_other_sticks_beside_it(full, make_stick):
    others = [make_stick(f"other{n}", kib=512 + n, port=n, plugged=False) for n in (2, 3, 4)]
    guest = full(*others)
    guest.pull()
    for other in others:
        guest.plug(other.name)
    guest.come_back(port=6)
    assert guest.holds("/precious", PRECIOUS)
    guest.interrupt()
    for disk in ("sdb", "sdc", "sdd"):
        guest.wait_disk(disk)
    guest.judge({"/precious": PRECIOUS})
