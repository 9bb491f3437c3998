"""The table: each line with the ratio to Linux, above 1 where this kernel is faster."""

from dataclasses import dataclass

from measure.phases import APPENDS, BIG, MIB, RANDOM_WRITES, SIZES, SMALL_FILES, USER_BYTES

OURS, PLAIN, PEER = "replug", "replug hold=0", "linux"


@dataclass
class Line:
    group: str
    name: str
    unit: str
    values: dict  # system: number
    more_is_better: bool

    @property
    def ratio(self):
        ours, peer = self.values.get(OURS), self.values.get(PEER)
        if not ours or not peer:
            return None
        return ours / peer if self.more_is_better else peer / ours


def rate(amount, key):
    """Amount per second, of a time in microseconds."""
    return lambda figures: amount / figures[key] * 1e6 if figures.get(key) else None


def value(key, scale=1.0):
    return lambda figures: figures[key] * scale if figures.get(key) is not None else None


def quotient(over, under, scale=1.0):
    return lambda figures: figures[over] / figures[under] * scale if figures.get(under) else None


# (name, key of the time, amount, unit)
RATES = ([(f"write 16 MiB by {size}, durable", f"seqw_{size}.durable_us", BIG / MIB, "MiB/s")
          for size, _ in SIZES]
         + [(f"read 16 MiB by {size}, cold", f"seqr_{size}.read_us", BIG / MIB, "MiB/s")
            for size, _ in SIZES]
         + [(f"read 16 MiB by {size}, cached", f"cached_{size}.read_us", BIG / MIB, "MiB/s")
            for size, _ in SIZES]
         + [("create 500 files, durable", "small_create.durable_us", SMALL_FILES, "files/s"),
            ("remove 500 files, durable", "small_unlink.durable_us", SMALL_FILES, "files/s"),
            ("2000 random 1 KiB writes, durable", "rndw.durable_us", RANDOM_WRITES, "KiB/s"),
            ("append 1 KiB + sync", "append_sync.durable_us", APPENDS, "ops/s"),
            ("append 1 KiB + fsync", "append_fsync.durable_us", APPENDS, "ops/s")])
BOOT = (("boot to prompt (Linux: to init)", "boot.prompt_s"), ("boot to mounted", "boot.mounted_s"),
        ("plug to mounted (Linux: from its drivers on)", "plug.mounted_s"))
SEQUENTIAL = tuple(f"seq{way}_{size}" for way in "wr" for size, _ in SIZES)
PHASES = (*SEQUENTIAL, *(f"cached_{size}" for size, _ in SIZES), "small_create", "small_unlink",
          "rndw", "append_sync", "append_fsync")
PER_MIB = (("commands", "SCSI commands"), ("trbs", "TRBs"), ("doorbells", "doorbells"),
           ("interrupts", "interrupts"))


def lines_of(systems):
    lines = []

    def add(group, mode, name, unit, figure, more_is_better=False):
        values = {system: figure(modes[mode]) for system, modes in systems.items()}
        if any(number is not None for number in values.values()):
            lines.append(Line(group, name, unit, values, more_is_better))
    for mode, group in (("icount", "guest's time, -icount"), ("time", "wall time")):
        for name, key, amount, unit in RATES:
            add(group, mode, name, unit, rate(amount, key), True)
    for name, key in BOOT:
        add("wall time", "time", name, "s", value(key))
    add("instructions", "count", "boot to mounted", "M", value("boot.insns", 1e-6))
    for phase in PHASES:
        if phase in USER_BYTES:
            add("instructions", "count", f"{phase}, per byte", "",
                value(f"{phase}.insns", 1 / USER_BYTES[phase]))
        else:
            add("instructions", "count", phase, "M", value(f"{phase}.insns", 1e-6))
    for phase in SEQUENTIAL:
        for key, name in PER_MIB:
            add("the bus", "count", f"{phase}, {name} per MiB", "",
                value(f"{phase}.{key}", MIB / USER_BYTES[phase]))
        add("the bus", "count", f"{phase}, KiB per command", "",
            quotient(f"{phase}.moved", f"{phase}.data_commands", 1 / 1024), True)
        add("the bus", "count", f"{phase}, interrupts per command", "",
            quotient(f"{phase}.interrupts", f"{phase}.commands"))
    for phase in ("small_create", "small_unlink", "rndw"):
        add("the bus", "count", f"{phase}, SCSI commands", "", value(f"{phase}.commands"))
    for phase in ("append_sync", "append_fsync"):
        add("the bus", "count", f"{phase}, commands per append", "",
            value(f"{phase}.commands", 1 / APPENDS))
    return lines


def shown(number):
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def as_text(lines, figures):
    columns = [system for system in (OURS, PLAIN, PEER) if system in figures["systems"]]
    header = f"{'':46}" + "".join(f"{name:>15}" for name in columns) + f"{'ratio':>8}"
    out, group = [], None
    for line in lines:
        if line.group != group:
            group = line.group
            out += ["", f"{group.upper():46}" + header[46:]]
        name = line.name + (f" ({line.unit})" if line.unit else "")
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        out.append(f"{name:46}" + "".join(f"{shown(line.values.get(c)):>15}" for c in columns)
                   + f"{ratio:>8}" + (" *" if line.ratio and line.ratio < 1 else ""))
    out += ["", *summary(lines)]
    out += cache_text(figures["cache"])
    return "\n".join(out) + "\n"


def summary(lines):
    ratios = [line.ratio for line in lines if line.ratio]
    if ratios:
        yield (f"Ahead of Linux on {sum(r >= 1 for r in ratios)} of {len(ratios)} lines, 1.5 times "
               f"on {sum(r >= 1.5 for r in ratios)}; * marks where we are behind.")
    for line in lines:
        ours, plain = line.values.get(OURS), line.values.get(PLAIN)
        if line.group.startswith("guest") and line.name.startswith("write") and ours and plain:
            yield f"The checkpoint costs {1 - ours / plain:.1%} of: {line.name}."


def cache_text(policies):
    if not policies:
        return
    yield ""
    yield "THE CACHE'S OWN INSTRUCTIONS, per call"
    for policy, sizes in policies.items():
        for buffers, costs in sizes.items():
            yield (f"  {'policy=' + policy if policy else 'ours':12} {buffers:6} buffers   "
                   + "   ".join(f"{what} {cost:,.0f}" for what, cost in costs.items()))
