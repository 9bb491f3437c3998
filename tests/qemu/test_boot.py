"""Boot: on two machines, with little and with much memory, on two consoles at once."""

import pytest


@pytest.mark.parametrize("memory", ["32M", "2G"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_boots_to_a_prompt_on_screen_and_serial_line(boot, make_stick, machine, memory):
    guest = boot(make_stick(), machine=machine, memory=memory)
    assert "hello1.txt" in guest.sh("ls /mnt/user/user1/user2")
    guest.sh("echo both consoles")
    screen = guest.screen()
    assert "both consoles" in screen
    assert any(line.startswith("# echo both consoles") for line in screen)


def test_the_keyboard_types_too(boot):
    guest = boot()
    guest.type("echo Typed | cat\n")
    guest.console.expect("^Typed")
    guest.console.wait_prompt()


def test_boots_without_any_stick_and_powers_off(boot):
    boot().poweroff()


@pytest.mark.parametrize("hold", [0, 300])
def test_what_is_kept_does_not_survive_a_reboot_and_the_boot_says_so(boot, hold):
    guest = boot(append=f"hold={hold} slots=256")
    told = guest.console.seen("^Up to 256 blocks are kept in memory .*: a reboot loses them")
    assert bool(told) == (hold > 0)


def test_reboot(boot):
    guest = boot(reboots=True)
    guest.console.start("reboot")
    guest.console.wait_prompt()
    guest.poweroff()


@pytest.mark.parametrize("controller", ["qemu-xhci", "nec-usb-xhci"])
def test_a_stick_that_is_plugged_in_later_is_found(boot, make_stick, controller):
    guest = boot(controller=controller)
    guest.insert(make_stick(port=5))
    guest.wait_for(lambda: "sda" in guest.disks(), "sda appears")
    guest.sh("mount /dev/sda /mnt")  # unless the boot's own search has just found it
    assert "user" in guest.sh("ls /mnt")
