"""The two systems that are measured, each in its own QEMU: this kernel, and the peer (Linux).

Both offer the same to tools/measure/phases.py: run(command), drop_caches(), begin(phase) marks with
the wall clock and the counts of instructions, the times the guest's own clock gave, and when it was
up. The peer has a driver of its own for Linux, outside the project.
"""

import importlib.util
import os
import re
import struct
import subprocess
import time
from pathlib import Path

import minix
import vm

PEER = Path(os.environ.get("PEER", vm.ROOT.parent / "shared/peers/linux"))
OUT = vm.BUILD / "bench"
STICK_KIB = 65535
ENTRY = struct.Struct("<QQQ")  # struct block of count.c
TABLE_BYTES = (1 << 16) * ENTRY.size
TRACES = ("usb_xhci_fetch_trb", "usb_xhci_doorbell_write", "usb_xhci_oper_write")


def build_counter():
    """The plugin; None where QEMU takes no plugins or there is no compiler for the host."""
    source, plugin = Path(__file__).with_name("count.c"), OUT / "count.so"
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", plugin, source]
    if subprocess.run(command, check=False).returncode != 0:
        return None
    table = OUT / "try"
    table.write_bytes(bytes(TABLE_BYTES))
    tried = subprocess.run(
        [vm.QEMU, "-M", "none", "-accel", "tcg", "-display", "none", "-monitor", "stdio",
         "-serial", "none", "-plugin", f"{plugin},table={table}"], input=b"quit\n", timeout=20,
        capture_output=True, check=False)
    return plugin if tried.returncode == 0 else None


def count_arguments(plugin, name):
    """QEMU's arguments for counting: (arguments, table of the plugin, log of the controller)."""
    table, log = OUT / f"{name}.table", OUT / f"{name}.trace"
    table.write_bytes(bytes(TABLE_BYTES))
    log.unlink(missing_ok=True)
    arguments = ["-msg", "timestamp=on", "-D", str(log)]
    for trace in TRACES:
        arguments += ["-trace", trace]
    if plugin:
        arguments += ["-plugin", f"{plugin},table={table}"]
    return arguments, table, log


def read_table(path):
    """{(address, instructions): executions} of the blocks that have been executed so far."""
    counts = {}
    for address, instructions, executions in ENTRY.iter_unpack(path.read_bytes()):
        if executions:
            counts[address, instructions] = executions
    return counts


def make_stick(path, program=None):
    """A stick like the peer's, without holes, which would cost the host time; with a program."""
    volume = minix.Volume.make(path, STICK_KIB)
    if program:
        volume.write("/wl", Path(program).read_bytes(), 0o755)
    content = path.read_bytes()
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


class Marks:
    """The stream that a console echoes to: notes each line of a workload as it arrives."""

    def __init__(self, table=None):
        self.phases = {}  # name: list of (begin, end) wall times
        self.instructions = {}  # name: list of {block: executions}
        self.times = {}  # "name.what": list of microseconds
        self.table = table
        self._open = {}
        self._rest = ""

    def write(self, text):
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            found = re.search(r"(@B|@E|M) (\S+)(?: (\d+) us)?\s*$", line)
            if found:
                self._mark(*found.groups())

    def flush(self):
        pass

    def _mark(self, kind, name, value):
        if kind == "M" and value:
            self.times.setdefault(name, []).append(int(value))
        elif kind == "@B":
            counts = read_table(self.table) if self.table else {}
            self._open[name] = time.time(), counts
        elif kind == "@E" and name in self._open:
            end = time.time()
            begin, before = self._open.pop(name)
            self.phases.setdefault(name, []).append((begin, end))
            if self.table:
                after = read_table(self.table)
                self.instructions.setdefault(name, []).append(
                    {key: count - before.get(key, 0) for key, count in after.items()
                     if count != before.get(key, 0)})


class Replug:
    """This kernel."""

    def __init__(self, name, append="", workload=None, plugin=None, count=False, arguments=(),
                 memory="128M"):
        self.pcap = OUT / f"{name}.pcap" if count else None
        self.trace = table = None
        if count:
            more, table, self.trace = count_arguments(plugin, name)
            arguments = [*arguments, *more]
        image = OUT / "stick.img"
        make_stick(image, workload)
        self.marks = Marks(table if plugin else None)
        self._machine = vm.Machine(
            sticks=[vm.Stick(image, pcap=self.pcap)], append=append, extra=arguments,
            memory=memory, echo=self.marks)
        self._program = "workload"
        begin = time.monotonic()
        self._machine.start()
        self.console = self._machine.console
        self.console.wait_prompt()
        self.up = {"boot.prompt_s": time.monotonic() - begin}
        self.console.wait_seen("mounted on /mnt")
        self.up["boot.mounted_s"] = time.monotonic() - begin
        self.mounted = time.time()
        self.boot_instructions = sum(size * times for (_, size), times in
                                     read_table(table).items()) if count and plugin else None
        if workload:
            self.run("cp /mnt/wl /tmp/wl")
            self._program = "/tmp/wl"

    def run(self, command, timeout=300):
        command = re.sub("^wl ", self._program + " ", command)
        return self.console.run(command, timeout)

    def drop_caches(self):
        self.run("umount /mnt; mount /dev/sda /mnt")

    def plug_to_mounted(self):
        """Seconds from the plug until the file system is mounted, by the loop of /etc/rc."""
        self.run("umount /mnt")
        self._machine.pull()
        time.sleep(0.3)
        since = len(self.console.text)
        self.console.start("sh /etc/first_stick 100")
        time.sleep(0.2)
        begin = time.monotonic()
        self._machine.plug()
        self.console.wait_seen("mounted on /mnt", since)
        seconds = time.monotonic() - begin
        self.console.wait_prompt()
        return seconds

    def end(self):
        self.console.send("poweroff\n")
        try:
            self._machine.wait_end(30)
        finally:
            self._machine.end()


def prepare_peer():
    """Fetches and builds what the peer needs; its driver as a module, None where it is absent."""
    if not (PEER / "peer.py").exists():
        return None
    script = ('. "$0/bench.sh" fetch; . "$cache/arch.env"; build; '
              'echo "$QEMU|$cache/vmlinuz|$cache/initrd|$cache/wl|$PLUGIN|$KERNEL_PKG"')
    built = subprocess.run(["bash", "-c", script, PEER], check=False, capture_output=True,
                           text=True)
    if built.returncode != 0:
        print(f"The peer could not be built:\n{built.stderr}")
        return None
    values = built.stdout.strip().split("\n")[-1].split("|")
    for key, value in zip(("QEMU", "KERNEL", "INITRD", "WL", "PLUGIN", "KERNEL_PKG"), values):
        if key != "QEMU" or "QEMU" not in os.environ:
            os.environ[key] = value
    spec = importlib.util.spec_from_file_location("peer", PEER / "peer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Linux:
    """The peer: a stock Debian kernel, driven by its own module."""

    def __init__(self, peer, name, plugin=None, count=False, arguments=()):
        self.trace = table = None
        if count:
            more, table, self.trace = count_arguments(plugin, name)
            arguments = [*arguments, *more]
        os.environ["QEMU_ARGS"] = " ".join(arguments)
        os.environ["PLUGIN"] = ""
        # With the switch `count` the peer captures USB packets; the instructions are ours to count.
        self._guest = peer.boot(str(OUT), "usb3-bot", str(OUT / "stick.img"), count)
        self.pcap = Path(self._guest.pcap) if count else None
        self.marks = Marks(table if plugin else None)
        self._guest.marks = _Relay(self._guest.marks, self.marks)
        self.up = {"boot.prompt_s": self._guest.when("@init"),
                   "boot.mounted_s": self._guest.when("@mounted")}
        self.mounted = time.time()
        self.modules = self._guest.when("@modules")
        self.boot_instructions = sum(size * times for (_, size), times in
                                     read_table(table).items()) if count and plugin else None

    def run(self, command, timeout=300):
        lines, _ = self._guest.sh(command, timeout)
        return "\n".join(lines)

    def drop_caches(self):
        self._guest.sh("drop")

    def plug_to_mounted(self):
        """It waits a second before it looks at a stick; the time since its drivers are there."""
        return self.up["boot.mounted_s"] - self.modules

    def end(self):
        for name, value, unit in self._guest.metrics:
            if unit == "us":
                self.marks.times.setdefault(name, []).append(value)
        self._guest.poweroff()


class _Relay(list):
    """The peer's list of marks, which hands on each one as it is appended."""

    def __init__(self, before, marks):
        super().__init__(before)
        self._marks = marks

    def append(self, item):
        super().append(item)
        self._marks.write(item[0] + "\n")
