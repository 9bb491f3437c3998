"""What is measured: the phases, in the order that both systems run them, and what came out.

A run's result is a dictionary of figures: "PHASE.durable_us" from the guest's clock, and from a
counting run "PHASE.commands", ".insns", ".trbs", ….
"""

import re
import struct
from bisect import bisect_left, bisect_right

MIB = 1 << 20
BIG, SMALL_FILES, RANDOM_WRITES, RANDOM_FILE, APPENDS = 16 * MIB, 500, 2000, 8 * MIB, 64
SIZES = (("1k", 1024), ("4k", 4096), ("64k", 65536))

# Bytes of the user's that a phase moves.
USER_BYTES = {**{f"seq{way}_{size}": BIG for way in "rw" for size, _ in SIZES},
              **{f"cached_{size}": BIG for size, _ in SIZES},
              "small_create": SMALL_FILES * 1024, "rndw": RANDOM_WRITES * 1024,
              "append_sync": APPENDS * 1024, "append_fsync": APPENDS * 1024}


def load(guest):
    """One pass through all workloads; `wl` is the program of the peer, or ours like it."""
    run, drop = guest.run, guest.drop_caches
    for name, size in SIZES:
        run("rm -f /mnt/big")
        drop()
        run(f"wl write seqw_{name} /mnt/big {BIG} {size} 11")
    for name, size in SIZES:
        drop()
        run(f"wl read seqr_{name} /mnt/big {size}")
        run(f"wl read cached_{name} /mnt/big {size}")
    run("rm -f /mnt/big")
    run("mkdir /mnt/d")
    drop()
    run(f"wl create small_create /mnt/d {SMALL_FILES} 1024")
    drop()
    run(f"wl unlink small_unlink /mnt/d {SMALL_FILES}")
    run("rmdir /mnt/d")
    run(f"wl write prepare /mnt/r {RANDOM_FILE} 65536 12")
    drop()
    run(f"wl rndw rndw /mnt/r {RANDOM_FILE} {RANDOM_WRITES}")
    run(f"wl append append_sync /mnt/a {APPENDS} 36")
    run(f"wl append append_fsync /mnt/b {APPENDS} 118")
    run("rm -f /mnt/r /mnt/a /mnt/b")
    run("sync")


def timed(guest, passes):
    """The median of each time over the passes."""
    guest.run("wl idle idle")
    for _ in range(passes):
        load(guest)
    figures = dict(guest.up)
    figures["plug.mounted_s"] = guest.plug_to_mounted()
    guest.end()
    for name, times in guest.marks.times.items():
        figures[name] = sorted(times)[len(times) // 2]
    return figures


def counted(guest):
    """What does not depend on the host's clock."""
    guest.run("wl idle idle")
    load(guest)
    guest.end()
    figures = {"boot.insns": guest.boot_instructions}
    packets = read_pcap(guest.pcap)
    events = read_trace(guest.trace)
    for name, spans in guest.marks.phases.items():
        begin, end = spans[0]
        figures |= {f"{name}.{key}": value
                    for key, value in count_commands(packets, begin, end).items()}
        for event, times in events.items():
            figures[f"{name}.{event}"] = bisect_right(times, end) - bisect_left(times, begin)
        if name in guest.marks.instructions:
            figures[f"{name}.insns"] = total(guest.marks.instructions[name][0])
    return figures


def total(counts):
    return sum(size * times for (_, size), times in counts.items())


def count_commands(commands, begin, end):
    mine = [(code, length) for wall, code, length in commands if begin <= wall <= end]
    data = [length for code, length in mine if code in (0x28, 0x2A)]
    return {"commands": len(mine), "data_commands": len(data), "moved": sum(data),
            "longest": max(data, default=0), "flushes": sum(code == 0x35 for code, _ in mine)}


def read_pcap(path):
    """(wall time, operation code, bytes) of every SCSI command in a capture (Linux usbmon's form).

    A command is a bulk OUT of 31 bytes that begins with the signature of a command wrapper.
    """
    commands, capture, at = [], path.read_bytes(), 24
    while at + 16 + 64 <= len(capture):
        seconds, micros, size, _ = struct.unpack_from("<4I", capture, at)
        record = capture[at + 16:at + 16 + size]
        at += 16 + size
        kind, transfer, endpoint = record[8:11]
        data = record[64:]
        submitted_bulk_out = kind == ord("S") and transfer == 3 and not endpoint & 0x80
        if submitted_bulk_out and len(data) == 31 and data[:4] == b"USBC":
            length = struct.unpack_from("<I", data, 8)[0]
            commands.append((seconds + micros / 1e6, data[15], length))
    return commands


def read_trace(path):
    """{what: sorted wall times} of what the controller did, from QEMU's log."""
    events = {"trbs": [], "doorbells": [], "interrupts": []}
    with open(path, encoding="latin-1") as log:
        for line in log:
            found = re.match(r"\d+@(\d+\.\d+):usb_xhci_(\w+) (.*)", line)
            if not found:
                continue
            wall, what, rest = float(found[1]), found[2], found[3]
            if what == "fetch_trb" and "TRB_RESERVED" not in rest:
                events["trbs"].append(wall)
            elif what == "doorbell_write":
                events["doorbells"].append(wall)
            elif what == "oper_write" and re.match(r"off 0x0*4, val 0x0*8$", rest):
                events["interrupts"].append(wall)  # a handler acknowledges its interrupt in USBSTS
    return events
