"""bufs, dirty, hash, inodes, requests: the buffer cache and what hangs on it."""

import gdb
from kernel import (Command, Layout, array, at_address, dev_name, dev_number, elements, enum_name,
                    error_name, find_field, number, say, text, type_named, variable, whole_disk)
from tasks import HEAP, sleepers

SHOWN = 40  # lines, unless all are asked for

_TABLE = "fs/buffer/buffer_table.cc"


def _layout():
    if not _layout.made:
        _layout.made = Layout(
            "buffer_head", data="b_data", dev="b_dev.value_", block="b_blocknr.value_",
            uptodate="b_uptodate", dirt="b_dirt", lock="b_lock", sent="b_sent", count="b_count",
            error="b_error._M_payload._M_payload._M_value",
            has_error="b_error._M_payload._M_engaged", sleeper="b_wait.waiters.front_",
            waiters="b_wait.waiters.size_", on_list="b_list_link.owner",
            next_in_chain="b_hash_link.next", next_on_list="b_list_link.next",
            next_in_request="b_request.next")
    return _layout.made


_layout.made = None


def head_at(address):
    return _layout().at(address)


def chunk_size():
    return int(variable("BUFFERS_PER_CHUNK"))


def all_heads():
    """Every head of the cache, in the order of buffer_at()."""
    left, size = int(variable("nr_buffers", _TABLE)), chunk_size()
    index = 0
    for chunk in array(variable("chunks", _TABLE)):
        if left <= 0:
            return
        for head in _layout().array(int(chunk), min(left, size)):
            head.index = index
            index += 1
            yield head
        left -= size


def head_containing(address):
    """"sda 17", when the address is inside a head of the cache."""
    size, left = type_named("buffer_head").sizeof, int(variable("nr_buffers", _TABLE))
    for chunk in array(variable("chunks", _TABLE)):
        if left <= 0:
            return None
        start = int(chunk)
        if start <= address < start + size * chunk_size():
            head = head_at(start + (address - start) // size * size)
            return f"{dev_name(head.dev)} {head.block}"
        left -= chunk_size()
    return None


def state_letters(head):
    """Uptodate, Dirty, Locked, Sent to the device, Error; a dot for each that it is not."""
    return "".join(letter if flag else "." for letter, flag in (
        ("U", head.uptodate), ("D", head.dirt), ("L", head.lock), ("S", head.lock and head.sent),
        ("E", head.has_error)))


def waiters_of(head):
    """Names of the tasks that wait for a buffer."""
    return sleepers(at_address(head.address, "buffer_head")["b_wait"]) if head.waiters else []


def shadows():
    """{(dev, block): slot} of every slot that is in use."""
    return {(number(slot["dev"]), number(slot["block"])): slot
            for volume in array(variable("checkpoint::volumes")) for slot in elements(volume["set"])}


def head_line(head, shadow=None):
    error = f" {error_name(head.error)}" if head.has_error else ""
    held = f"  slot {int(shadow['number'])} {enum_name(shadow['state'])}" if shadow else ""
    waiting = f"  waited for by {', '.join(waiters_of(head))}" if head.waiters else ""
    return (f"{dev_name(head.dev):5} {head.block:7}  {state_letters(head)}  {head.count:3}"
            f"{error}{held}{waiting}")


HEADING = "dev     block  UDLSE count  shadow"


def print_heads(heads, everything=False):
    known = shadows()
    shown = 0
    say(HEADING)
    for head in heads:
        shown += 1
        if everything or shown <= SHOWN:
            say(head_line(head, known.get((head.dev, head.block))))
    if not everything and shown > SHOWN:
        say(f"… and {shown - SHOWN} more: add `all`")
    return shown


class Bufs(Command):
    """bufs [DEVICE] [BLOCK | FIRST-LAST] [dirty | clean | locked | used | waited | error] [all]

The buffers that hold a block, in the order of their memory. State letters: U uptodate, D dirty,
L locked (I/O is under way or queued), S sent (the driver has taken it), E a write failed. Then the
number of users, the shadow's slot, and its waiters. Examples: bufs sda dirty    bufs sda 5-20"""

    TESTS = {"dirty": lambda h: h.dirt, "clean": lambda h: not h.dirt, "locked": lambda h: h.lock,
             "used": lambda h: h.count, "waited": lambda h: h.waiters,
             "error": lambda h: h.has_error}

    def run(self, arguments):
        tests, everything = [lambda head: head.dev], False
        for word in arguments:
            if word == "all":
                everything = True
            elif word in self.TESTS:
                tests.append(self.TESTS[word])
            else:
                tests.append(self._place(word))
        heads = [head for head in all_heads() if all(test(head) for test in tests)]
        print_heads(heads, everything)
        say(f"{len(heads)} of {int(variable('nr_buffers', _TABLE))} buffers")

    @staticmethod
    def _place(word):
        dev = dev_number(word)
        if dev is not None:
            whole = dev >> 8 == 8 and not dev & 15
            return lambda head: (whole_disk(head.dev) if whole else head.dev) == dev
        first, _, last = word.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise gdb.GdbError(f"bufs: what is {word}? See `help bufs`")
        low, high = int(first), int(last or first)
        return lambda head: low <= head.block <= high


def dirty_lists():
    """[(name, list)] of the disks that have dirty buffers."""
    found = []
    lists = variable("lists", "fs/buffer/buffer_lists.cc")["dirty_"]
    for index, of_disk in enumerate(array(lists)):
        dirty = of_disk["list"]
        if int(dirty["size_"]):
            name = f"sd{chr(ord('a') + index - 1)}" if index else "others"
            found.append((name, dirty))
    return found


class Dirty(Command):
    """dirty [all]: the dirty lists, a disk each, the oldest block first.

`sync` and the forced write in getblk put a list into the order of its blocks and work on it alone:
their cost is the number of lines here, not the size of the cache."""

    def run(self, arguments):
        lists = dirty_lists()
        for name, buffers in lists:
            say(f"{name}: {int(buffers['size_'])} dirty, oldest first")
            at, heads = int(buffers["front_"]), []
            while at:
                heads.append(head_at(at))
                at = heads[-1].next_on_list
            print_heads(heads, "all" in arguments)
        if not lists:
            say("no buffer is dirty")


class Hash(Command):
    """hash: how full the hash table's chains are.
hash DEVICE BLOCK: the chain that a block belongs to, and the other blocks on it.
hash N: chain N."""

    def run(self, arguments):
        table = variable("hash_table", _TABLE)
        chains = list(Layout("intrusive_list<buffer_head, &buffer_head::b_hash_link>",
                             front="front_", size="size_").array(
            int(table["_M_ptr"]), int(find_field(table, "_M_extent_value"))))
        if not arguments:
            return self._summary(chains)
        if len(arguments) == 2:
            dev = dev_number(arguments[0])
            if dev is None:
                raise gdb.GdbError(f"{arguments[0]} is no device; sda1 is one")
            index = (int(arguments[1]) ^ dev << 4) & (len(chains) - 1)
        else:
            index = int(arguments[0]) % len(chains)
        return self._chain(index, chains[index])

    @staticmethod
    def _summary(chains):
        say(f"{len(chains)} chains, {sum(chain.size for chain in chains)} buffers in them")
        lengths = {}
        for chain in chains:
            lengths[chain.size] = lengths.get(chain.size, 0) + 1
        for length in sorted(lengths):
            say(f"  {lengths[length]:6} of length {length}")

    @staticmethod
    def _chain(index, chain):
        say(f"chain {index}: {chain.size} buffers")
        at, heads = chain.front, []
        while at:
            heads.append(head_at(at))
            at = heads[-1].next_in_chain
        print_heads(heads, True)


INODE_TYPES = {0o100000: "-", 0o040000: "d", 0o060000: "b", 0o020000: "c", 0o010000: "p"}


def inode_table():
    return array(variable("inode_table", "fs/inode_table.cc"))


def inode_letters(inode):
    return "".join(letter if inode[name] else "." for letter, name in (
        ("L", "i_lock"), ("D", "i_dirt"), ("R", "i_loading"), ("M", "i_mount"), ("O", "i_orphan"),
        ("G", "i_gone")))


class Inodes(Command):
    """inodes [all]: the inodes in use; with `all` also those that are only remembered.

State letters: L locked, D dirty, R being read, M a mount point, O orphan (unlinked, not yet freed),
G gone (its volume was given up)."""

    def run(self, arguments):
        say("dev     ino type nlink     size count LDRMOG path")
        shown = remembered = 0
        for inode in inode_table():
            count, hashed = int(inode["i_count"]), int(inode["i_hash_link"]["owner"])
            if not count and not hashed:
                continue
            if not count and "all" not in arguments:
                remembered += 1
                continue
            shown += 1
            kind = INODE_TYPES.get(int(inode["i_mode"]) & 0o170000, "?")
            waiting = sleepers(inode["i_wait"])
            who = f"  waited for by {', '.join(waiting)}" if waiting else ""
            say(f"{dev_name(number(inode['i_dev'])):5} {number(inode['i_num']):5} {kind:>4} "
                f"{int(inode['i_nlinks']):5} {int(inode['i_size']):8} {count:5} "
                f"{inode_letters(inode)} {text(inode['i_path']['text'])}{who}".rstrip())
        say(f"{shown} shown" + (f", {remembered} more are remembered: inodes all"
                                if remembered else ""))


def block_devices():
    """[(name, block_device)] behind the names that exist now."""
    found = [("ram0", variable("ramdisk", "drivers/block/genhd.cc").dereference())]
    for index, disk in enumerate(array(variable("disks", "drivers/block/genhd.cc"))):
        if int(disk["device"]):
            found.append((f"sd{chr(ord('a') + index)}", disk["device"].dereference()))
    return found


def request_line(request):
    heads = int(request["buffers"]["size_"])
    command = enum_name(request["cmd"])
    if command == "flush":
        waiting = sleepers(request["waiting"])
        return f"flush{'  done' if request['done'] else ''}  asked for by {', '.join(waiting)}"
    first = number(request["sector"])
    last = first + int(request["nr_sectors"]) - 1
    return f"{command:5}  sectors {first}-{last}, {heads} buffers"


class Requests(Command):
    """requests: the requests of every device: what waits in its queue, in the order of the elevator,
and what its driver has in hand."""

    def run(self, arguments):
        queued = set()
        for name, device in block_devices():
            queue = list(elements(device["queue_"]))
            if not queue:
                continue
            say(f"{name} (epoch {number(device['epoch'])}): {len(queue)} queued")
            for request in queue:
                queued.add(int(request.address))
                say(f"  {request_line(request)}")
        in_hand = [request for request in array(variable("requests", "block_device.cc"))
                   if request["in_use"] and int(request.address) not in queued]
        if in_hand:
            say("taken off its queue, in a driver's hand:")
        for request in in_hand:
            say(f"  {request_line(request)}")
        if not queued and not in_hand:
            say("no requests")


def install():
    HEAP.append(head_containing)
    for command in (Bufs, Dirty, Hash, Inodes, Requests):
        command()

