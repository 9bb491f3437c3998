"""Tests of the real kernel in QEMU, with real pulls. A stick's image is what is judged.

    make test                                       all of them
    /usr/bin/python3 -m pytest tests/qemu -k swap   some; -s shows the consoles as they speak
"""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

# pylint: disable=wrong-import-position
import minix  # noqa: E402
import sticks  # noqa: E402
from guest import Guest  # noqa: E402
from vm import Stick  # noqa: E402


@pytest.fixture(name="make_stick")
def stick_factory(tmp_path):
    """make_stick(name, kib=…, …) → Stick with an empty file system and the book's directories."""
    def make(name="stick", kib=8192, names=14, book=True, **options):
        image = tmp_path / f"{name}.img"
        if book:
            sticks.make_book_stick(image, kib)
        else:
            minix.Volume.make(image, kib, names=names)
        options.setdefault("serial", name.upper())
        return Stick(image, name=name, **options)
    return make


@pytest.fixture(name="boot")
def guest_factory(request):
    """boot(sticks, append=…, …) → a running Guest at its prompt, the first stick mounted."""
    running = []

    def boot(*given, mounted=True, **options):
        if request.config.getoption("capture") == "no":
            options["echo"] = sys.stdout
        guest = Guest(sticks=given, **options)
        running.append(guest)
        guest.start()
        guest.console.wait_prompt()
        if given and mounted:
            guest.wait_mounted()
        guest.remember_counts()
        return guest

    yield boot
    try:
        if not getattr(request.node, "failed", True):
            for guest in running:
                if guest.running:
                    guest.audit()
    finally:
        for guest in running:
            guest.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Tells the fixtures of a test whether it has failed."""
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture(name="data")
def random_data(request):
    """Random bytes; the same ones in every run of a test."""
    return random.Random(request.node.name).randbytes


# Controller and the port of a speed: SuperSpeed 1 to 4, high speed 5 to 8.
BUSES = [("qemu-xhci", 1), ("qemu-xhci", 5), ("nec-usb-xhci", 1), ("nec-usb-xhci", 5)]


def pytest_generate_tests(metafunc):
    if "bus" in metafunc.fixturenames:
        metafunc.parametrize("bus", BUSES, ids=lambda bus: f"{bus[0]}-port{bus[1]}")
