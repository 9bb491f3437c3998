"""tools/vm.py with a guest of thirty lines (guest.asm), so that a failure here is not a failure of
the kernel."""

import signal

import pytest
from vm import Machine, Stick, VmError

SIZE = 1 << 20


def make_stick(tmp_path, name="stick", **options):
    image = tmp_path / f"{name}.img"
    image.write_bytes(bytes(SIZE))
    return Stick(image, name=name, **options)


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("controller", ["qemu-xhci", "nec-usb-xhci"])
def test_console_and_screen(guest, machine, controller):
    with Machine(kernel=guest, machine=machine, controller=controller) as vm:
        vm.console.wait_prompt()
        assert vm.console.run("abc") == ""
        assert vm.screen()[0].startswith("H")


@pytest.mark.parametrize("port", [1, 5])
def test_pull_and_plug_into_every_next_port(guest, tmp_path, port):
    with Machine(kernel=guest, sticks=[make_stick(tmp_path, port=port)]) as vm:
        for turn in range(1, 5):
            assert vm.is_plugged()
            vm.pull()
            assert not vm.is_plugged()
            vm.plug(port=port + turn % 4)


def test_a_late_stick_and_a_throttle(guest, tmp_path):
    with Machine(kernel=guest) as vm:
        vm.insert(make_stick(tmp_path, "late", read_only=True))
        vm.throttle("late", 65536)
        vm.throttle("late", 0)
        vm.pull("late")
        vm.plug("late", port=5)


def test_a_stick_with_faults(guest, tmp_path):
    stick = make_stick(tmp_path, faults=("inject-error.0.event=write_aio",
                                         "inject-error.0.errno=5"))
    with Machine(kernel=guest, sticks=[stick]) as vm:
        vm.console.wait_prompt()


def test_a_stick_that_no_program_reads_is_not_used(guest, tmp_path):
    with Machine(kernel=guest, sticks=[make_stick(tmp_path)]) as vm:
        vm.console.wait_prompt()
        vm.pull()
        vm.plug(port=2)
        assert not vm.used()


def test_the_power_can_be_cut(guest):
    with Machine(kernel=guest) as vm:
        vm.console.wait_prompt()
        vm.kill()
        assert vm.wait_end() == -signal.SIGKILL


def test_a_missing_image_is_told(guest, tmp_path):
    with pytest.raises(VmError, match="nothing.img"):
        Machine(kernel=guest, sticks=[Stick(tmp_path / "nothing.img")]).start()


def test_qemu_is_ended(guest):
    with Machine(kernel=guest) as vm:
        process = vm._process
    assert process.returncode is not None
