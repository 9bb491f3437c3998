"""What the buffer cache costs by itself: instructions of its own functions, per call."""

import vm
from measure import phases
from measure.functions import Functions
from measure.guests import Replug

BUFFERS = (64, 1024, 16384)
# The functions that find, give and take buffers, without what they start: requests, sleeping,
# shadows.
FILES = sorted(f"fs/buffer/{path.name}" for path in vm.ROOT.glob("fs/buffer/*.cc"))
POLICIES = {"": "fs/buffer/buffer_lists.cc", "0.11": "fs/buffer/buffer_ring.cc"}


def spent_by_file(functions, counts):
    """{file of the cache: instructions}. A file without any function is a mistake in this table."""
    known = {function.file for function in functions.all}
    if missing := [file for file in FILES if file not in known]:
        raise LookupError(f"the kernel has no functions of {', '.join(missing)}")
    spent = dict.fromkeys(FILES, 0)
    for function, count in functions.profile(counts)[0].items():
        if function and function.file in spent:
            spent[function.file] += count
    return spent


def measure_policy(policy, buffers, plugin):
    """Instructions of the cache's functions: per hit, per miss, per clean and 1 % dirty sync."""
    name = f"cache-{policy or 'ours'}-{buffers}"
    options = f"buffers={buffers}" + (f" policy={policy}" if policy else "")
    guest = Replug(name, options, plugin=plugin, count=True)
    one_percent = max(1, buffers // 100)
    repeats, syncs = 500, 20
    guest.run("wl write prepare /mnt/r 4M 64k")
    guest.drop_caches()
    guest.run("wl read miss /mnt/r 1024")
    guest.run(f"wl again warm /mnt/r {repeats}")
    guest.run(f"wl again hit /mnt/r {repeats}")
    guest.run(f"wl sync clean /mnt/r 0 {syncs}")
    guest.run(f"wl sync dirty /mnt/r {one_percent} {syncs}")
    guest.end()
    functions = Functions()

    def spent(phase):
        by_file = spent_by_file(functions, guest.marks.instructions[phase][0])
        if not by_file[POLICIES[policy]]:
            raise LookupError(f"{phase}: nothing was spent in {POLICIES[policy]}")
        return sum(by_file.values())
    return {"hit": spent("hit") / repeats, "miss": spent("miss") / (4 * phases.MIB / 1024),
            "clean sync": spent("clean") / syncs, "1 % dirty sync": spent("dirty") / syncs}
