"""QEMU machines with sticks that can be pulled: what the tests, the demo and `make run` drive.

    with Machine(sticks=[Stick("stick.img")]) as vm:
        vm.console.wait_prompt()
        vm.pull("stick")
        vm.plug("stick", port=2)

A Machine always ends its QEMU, also when Python dies. Sticks stand at ports 1 to 4 (SuperSpeed) or
5 to 8 (high speed). The image file holds what has reached the stick, at every moment: QEMU writes
through the host's page cache, and reading the file reads that cache.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from console import Console
from qmp import Qmp, QmpError

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))
QEMU = os.environ.get("QEMU", "qemu-system-i386")
SUPER_SPEED_PORTS = (1, 2, 3, 4)
HIGH_SPEED_PORTS = (5, 6, 7, 8)


@dataclass
class Stick:
    image: Path
    name: str = "stick"  # QEMU's id of the device; its block nodes are named after it
    serial: str = "AB12"
    port: int = 1
    read_only: bool = False
    plugged: bool = True  # at the start
    pcap: Path = None  # the file that gets every USB packet of the device
    faults: tuple = ()  # options of blkdebug, "inject-error.0.event=write_aio" and the like


class VmError(Exception):
    """The machine could not be started or did not do what it was told."""


class Machine:
    def __init__(self, sticks=(), machine="pc", memory="128M", controller="qemu-xhci", append="",
                 kernel=None, extra=(), echo=None, reboots=False, control=None, serial=None):
        """reboots: what a reset by the guest does. False: QEMU ends; True: it boots again; "ask": it
        stands still and says so (SHUTDOWN); boot_again() or end() decides.

        control: path of a socket at which other programs may speak QMP with this machine.

        serial: QEMU's options of a chardev for the serial line, instead of `console`.
        """
        self.sticks = {stick.name: stick for stick in sticks}
        self.console = None
        self._kernel = Path(kernel or BUILD / "replug.elf")
        self._arguments = [
            "-M", machine, "-m", str(memory), "-nodefaults", "-vga", "std", "-display", "none",
            "-kernel", str(self._kernel), "-append", append,
            "-device", f"{controller},id=xhci,p2=8,p3=4",
            # The firmware waits a tenth of a second for sticks to boot from; a millisecond is
            # enough.
            "-fw_cfg", "name=etc/usb-time-sigatt,string=\x01", *extra]
        if not reboots:
            self._arguments.append("-no-reboot")
        elif reboots == "ask":
            self._arguments += ["-action", "reboot=shutdown,shutdown=pause"]
        if control:
            self._arguments += ["-qmp", f"unix:{control},server=on,wait=off"]
        for stick in sticks:
            self._arguments += _stick_arguments(stick)
        self._serial_options = serial
        self._echo = echo
        self._process = None
        self._qmp = None
        self._serial = None
        self._directory = None

    # --- life --------------------------------------------------------------------------------

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end()

    def start(self, console=True):
        """console=False: the serial line is left to the caller, which reads `serial`."""
        if not shutil.which(QEMU):
            raise VmError(f"{QEMU} is missing; `make doctor` says how to get it")
        if not self._kernel.exists():
            raise VmError(f"{self._kernel} is missing; `make` builds it")
        self._directory = tempfile.TemporaryDirectory(prefix="replug-")
        self._serial, serial = socket.socketpair()
        control, monitor = socket.socketpair()
        options = self._serial_options or f"socket,fd={serial.fileno()}"
        with open(self._path("stderr"), "wb") as stderr, serial, monitor:
            # pylint: disable-next=consider-using-with,subprocess-popen-preexec-fn
            self._process = subprocess.Popen(
                [QEMU, *self._arguments,
                 "-chardev", f"{options},id=com1", "-serial", "chardev:com1",
                 "-chardev", f"socket,id=monitor,fd={monitor.fileno()}",
                 "-mon", "chardev=monitor,mode=control"],
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True,
                pass_fds=(serial.fileno(), monitor.fileno()), preexec_fn=_die_with_parent)
        try:
            self._qmp = Qmp(control)
        except QmpError as error:
            message = self.stderr().strip()
            self.end()
            raise VmError(f"QEMU did not start: {message or error}") from error
        if console:
            self.console = Console(self._serial, self._echo)

    def end(self):
        """Ends QEMU at once, like pulling the mains plug; harmless when it has ended."""
        if self._process:
            self._process.kill()
            self._process.wait()
        for thing in (self._qmp, self._serial):
            if thing:
                thing.close()
        if self._directory:
            self._directory.cleanup()
        self._process = self._qmp = self._serial = self._directory = None

    def kill(self):
        """Ends QEMU alone, at once, also from another thread: the images stay as they are at this
        moment. end() does the rest."""
        if self._process:
            self._process.kill()

    def wait_end(self, timeout=60):
        """Waits until QEMU ends by itself (poweroff); returns its exit status."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise VmError(f"QEMU still runs after {timeout} s") from error

    def boot_again(self):
        """After a reset by the guest at which the machine was to ask."""
        self.qmp("set-action", reboot="reset")
        self.qmp("system_reset")
        self._qmp.wait_event("RESET")
        self.qmp("set-action", reboot="shutdown")
        self.qmp("cont")

    @property
    def monitor(self):
        return self._qmp

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def serial(self):
        return self._serial

    def stderr(self):
        return self._path("stderr").read_text(errors="replace") if self._directory else ""

    def qmp(self, name, **arguments):
        return self._qmp.command(name, **arguments)

    def _path(self, name):
        return Path(self._directory.name) / name

    # --- sticks ------------------------------------------------------------------------------

    def is_plugged(self, name="stick"):
        return is_plugged(self._qmp, name)

    def used(self, name="stick"):
        """Whether the kernel has read a block of the stick since its plug."""
        return any(f"/{name}/" in device.get("qdev", "") and device["stats"]["rd_operations"] > 0
                   for device in self._qmp.command("query-blockstats"))

    def pull(self, name="stick"):
        """Pulls a stick. At the return the kernel has been told, and QEMU has closed the image."""
        pull(self._qmp, name)

    def plug(self, name="stick", port=None):
        stick = self.sticks[name]
        if port:
            stick.port = port
        plug(self._qmp, stick)

    def insert(self, stick):
        """Plugs a stick that the machine did not know at its start."""
        self.sticks[stick.name] = stick
        self._qmp.command("object-add", qom_type="throttle-group", id=f"{stick.name}-group")
        for node in _stick_nodes(stick):
            self._qmp.command("blockdev-add", **node)
        self.plug(stick.name)

    def throttle(self, name="stick", bytes_per_second=0):
        """Slows a stick's transfers down, so that a pull can hit one; 0: as fast as it goes."""
        self._qmp.command("qom-set", path=f"/objects/{name}-group", property="limits",
                          value={"bps-total": bytes_per_second})

    # --- eyes and fingers ----------------------------------------------------------------------

    def screen(self):
        """The lines of the VGA text screen, 80 columns each, blanks at the end cut off."""
        dump = self._path("screen")
        self.qmp("pmemsave", val=0xB8000, size=80 * 25 * 2, filename=str(dump))
        characters = dump.read_bytes()[::2].replace(b"\0", b" ").decode("cp437")
        return [characters[start:start + 80].rstrip() for start in range(0, 2000, 80)]

    def screenshot(self, path):
        """Saves a picture of the display (PPM)."""
        self.qmp("screendump", filename=str(path))

    def type(self, text):
        """Types on the keyboard (of the screen, not on the serial line)."""
        for character in text:
            keys = [{"type": "qcode", "data": key} for key in _keys_of(character)]
            self.qmp("send-key", keys=keys, hold_time=10)
            time.sleep(0.03)

    def snapshot(self, name="stick"):
        """The bytes that a stick holds now."""
        return Path(self.sticks[name].image).read_bytes()


def is_plugged(qmp, name):
    devices = qmp.command("qom-list", path="/machine/peripheral")
    return any(device["name"] == name for device in devices)


def pull(qmp, name):
    qmp.forget_events()
    qmp.command("device_del", id=name)
    qmp.wait_event("DEVICE_DELETED", device=name)


def plug(qmp, stick, timeout=10):
    """The block nodes of a stick are let go a moment after DEVICE_DELETED: try until they are."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            qmp.command("device_add", **_device(stick))
            return
        except QmpError as error:
            if "Permission conflict" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _device(stick):
    device = {"driver": "usb-storage", "bus": "xhci.0", "port": str(stick.port), "id": stick.name,
              "drive": stick.name, "serial": stick.serial}
    return device | ({"pcap": str(stick.pcap)} if stick.pcap else {})


def _stick_nodes(stick):
    """The block nodes below a stick, bottom first: file, faults, raw, throttle."""
    read_only = bool(stick.read_only)
    below = f"{stick.name}-file"
    nodes = [{"driver": "file", "filename": str(stick.image), "node-name": below,
              "read-only": read_only}]
    if stick.faults:
        nodes.append({"driver": "blkdebug", "image": below, "node-name": f"{stick.name}-faults",
                      **dict(fault.split("=", 1) for fault in stick.faults)})
        below = f"{stick.name}-faults"
    nodes.append({"driver": "raw", "file": below, "node-name": f"{stick.name}-raw",
                  "read-only": read_only})
    nodes.append({"driver": "throttle", "throttle-group": f"{stick.name}-group",
                  "file": f"{stick.name}-raw", "node-name": stick.name, "read-only": read_only})
    return nodes


def _stick_arguments(stick):
    arguments = ["-object", f"throttle-group,id={stick.name}-group"]
    for node in _stick_nodes(stick):
        arguments += ["-blockdev", _options(node)]
    if stick.plugged:
        arguments += ["-device", _options(_device(stick))]
    return arguments


def _options(values):
    """QEMU's command line form: key=value,… with the commas of values doubled."""
    def text(value):
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    return ",".join(f"{key}={text(value)}".replace(",", ",,") for key, value in values.items())


def _die_with_parent():
    """In the child, before QEMU: the kernel is to end it when its parent dies (prctl(2))."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


_KEYS = {" ": "spc", "\n": "ret", "/": "slash", ".": "dot", "-": "minus", ",": "comma",
         "=": "equal", ";": "semicolon", "'": "apostrophe", "\b": "backspace"}
_SHIFTED = {">": "dot", "<": "comma", "|": "backslash", "_": "minus", "&": "7", '"': "apostrophe",
            "$": "4", "?": "slash", "*": "8", "!": "1", "#": "3", ":": "semicolon"}


def _keys_of(character):
    """The keys of the US keyboard that make a character; ^C is ctrl and c."""
    if character == "\x03":
        return ["ctrl", "c"]
    if character in _SHIFTED:
        return ["shift", _SHIFTED[character]]
    if character.isupper():
        return ["shift", character.lower()]
    return [_KEYS.get(character, character)]
