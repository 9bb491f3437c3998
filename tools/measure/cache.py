"""What the buffer cache costs by itself: instructions of its own functions, per call."""

import re
import subprocess
from bisect import bisect_right

import vm
from measure import phases
from measure.guests import Replug

BUFFERS = (64, 1024, 16384)
# Who finds, gives and takes buffers, without what they start: requests, sleeping, shadows.
CACHE = re.compile(
    r"^(getblk|bread|breada|get_hash_table|find_buffer|brelse|oldest_free_buffer|name_buffer|"
    r"file_buffer|note_access|claim_free_buffer|buffer_policy|ring_scan|lru_lists|make_room|"
    r"sys_sync|sync_disk|sync_dev|write_buffers|flush_buffers|start_writes|wait_for_writes|"
    r"first_error|dirtiest_disk|leave_lists|list_for)\b")


class Symbols:
    """Which function an address of the kernel belongs to."""

    def __init__(self):
        listing = subprocess.run(["nm", "--numeric-sort", "--demangle", vm.BUILD / "replug.elf"],
                                 check=True, capture_output=True, text=True).stdout
        self.functions = []
        for line in listing.splitlines():
            address, kind, name = line.split(" ", 2)
            if kind in "tTwW" and int(address, 16) >= 0x80000000:
                self.functions.append((int(address, 16), short(name)))
        self._addresses = [address for address, _ in self.functions]

    def of(self, address):
        index = bisect_right(self._addresses, address & 0xFFFFFFFF) - 1
        return self.functions[index][1] if index >= 0 else "(user)"

    def profile(self, counts):
        """{function: instructions}, and how often each was entered."""
        spent, entered = {}, {}
        starts = dict(self.functions)
        for (address, size), times in counts.items():
            name = self.of(address)
            spent[name] = spent.get(name, 0) + size * times
            if address & 0xFFFFFFFF in starts:
                entered[name] = entered.get(name, 0) + times
        return spent, entered


def short(name):
    name = name.replace("(anonymous namespace)::", "")
    return re.split(r"\(|<| \[", name)[0]


def print_profile(counts, lines=40):
    spent, entered = Symbols().profile(counts)
    whole = sum(spent.values())
    for name, count in sorted(spent.items(), key=lambda item: -item[1])[:lines]:
        print(f"{count / whole:7.1%} {count:12,d} {entered.get(name, 0):9,d}  {name}")
    print(f"{whole:20,d} in all")


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
    symbols = Symbols()

    def spent(phase):
        functions, _ = symbols.profile(guest.marks.instructions[phase][0])
        return sum(count for function, count in functions.items() if CACHE.match(function))
    return {"hit": spent("hit") / repeats, "miss": spent("miss") / (4 * phases.MIB / 1024),
            "clean sync": spent("clean") / syncs, "1 % dirty sync": spent("dirty") / syncs}
