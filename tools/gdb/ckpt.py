"""ckpt, why: the checkpoint region, and the story of a block."""

import gdb
from cache import all_heads, head_line
from kernel import (Command, Layout, array, dev_name, dev_number, elements, enum_name, enum_names,
                    error_name, number, say, seconds, text, type_named, variable, whole_disk)

# Of fs/replug/verify.h; the numbers may change, as these are the names.
VERDICTS = {"same": "unchanged", "unproven": "not to be told from another stick's",
            "modified": "changed elsewhere", "different": "another stick's",
            "formatted": "formatted anew elsewhere"}


def volumes():
    return [volume for volume in array(variable("checkpoint::volumes"))
            if enum_name(volume["state"]) != "none"]


def slot_line(slot):
    owner = number(slot["owner"])
    whose = f"inode {owner}" if owner else "the file system"
    state = enum_name(slot["state"])
    stamp = f", write {number(slot['written'])}" if state == "written" else ""
    older = int(slot["nr_versions"])
    base = "" if slot["base_known"] else ", what the medium has is unknown"
    return (f"  slot {int(slot['number']):4}  {dev_name(number(slot['dev'])):5} "
            f"{number(slot['block']):6}  {state:8} of {whose}{stamp}, "
            f"{older} earlier version{'' if older == 1 else 's'}{base}")


def verdict_name(value):
    return VERDICTS.get(enum_names("checkpoint::verdict").get(value), "?")


class Ckpt(Command):
    """ckpt: the checkpoint region and every volume. ckpt sda: its slots too, the oldest first.

held: only memory has this content. issued: it is on its way. written: the device has it, perhaps
only in its cache. A slot is free when a flush has made it durable."""

    def run(self, arguments):
        wanted = [dev_number(word) for word in arguments]
        total, free = int(variable("checkpoint::nr_slots")), variable("checkpoint::free_slots")
        reserved = int(variable("checkpoint::promised"))
        say(f"region: {total} slots, {total - int(free['size_'])} in use, {reserved} promised to "
            "operations")
        for volume in volumes():
            self._volume(volume)
            if whole_disk(number(volume["disk"])) in [dev and whole_disk(dev) for dev in wanted]:
                for slot in elements(volume["set"]):
                    say(slot_line(slot))

    @staticmethod
    def _volume(volume):
        state = enum_name(volume["state"])
        last, flushed = number(volume["last_stamp"]), number(volume["flushed_stamp"])
        counts = {}
        for slot in elements(volume["set"]):
            name = enum_name(slot["state"])
            counts[name] = counts.get(name, 0) + 1
        held = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing held"
        away = f", pulled at {seconds(int(volume['pulled_at']['ns']))}" if state not in ("live", "degraded") else ""
        say(f"{dev_name(number(volume['disk']))}: {state}{away}, "
            f"\"{text(volume['identity']['product'])}\" serial {text(volume['identity']['serial'])}; "
            f"{held}; {last} writes completed, {flushed} of them flushed; "
            f"{int(volume['operations'])} operations under way")
        files = int(volume["files"]["count_"])
        for index, note in enumerate(array(volume["files"]["notes_"])):
            if index == files:
                break
            say(f"  has data of {text(note['path']) or 'inode'} (inode {number(note['inode'])})")


# --- why -----------------------------------------------------------------------------------------

def story():
    """The events that the ring still has, oldest first, each with its number."""
    told, ring = int(variable("story::told")), variable("story::records")
    layout = Layout("story::record", what="what", pid="pid", dev="dev.value_",
                    block="block.value_", detail="detail")
    size = ring.type.strip_typedefs().sizeof
    count = size // type_named("story::record").sizeof
    records = list(layout.array(int(ring.address), count))
    names = enum_names("story::event")
    for turn in range(max(told - count, 0), told):
        record = records[turn % count]
        record.turn, record.name = turn, names.get(record.what, "?")
        yield record


STICK_EVENTS = {"flushed", "pulled", "verified", "replaying", "replayed", "given_up"}


def sentence(record):
    """What an event was, in words."""
    by = f"process {record.pid}" if record.pid else "the kernel"
    milliseconds = f" at {record.detail / 1000:.3f} s"
    words = {
        "dirtied": f"dirtied by {by}: {record.detail} bytes changed",
        "shadowed": f"shadowed: slot {record.detail} takes its copy",
        "queued": f"queued: handed to the driver by {by}",
        "written": "written: the device has it, perhaps only in its cache",
        "failed": f"not written: {error_name(record.detail)}",
        "durable": f"durable: slot {record.detail} is free again",
        "restored": f"restored: its buffer was filled from slot {record.detail}",
        "forgotten": "forgotten: the block was freed",
        "discarded": f"discarded: the volume was given up, slot {record.detail} with it",
        "flushed": f"flushed: SYNCHRONIZE CACHE succeeded{milliseconds}",
        "pulled": f"pulled: the stick went{milliseconds}; the set is sealed",
        "verified": f"the stick is back{milliseconds}, its content is "
                    f"{verdict_name(record.block)}",
        "replaying": f"replay: the held blocks are written{milliseconds}",
        "replayed": f"replayed{milliseconds}: what the stick has taken is on it",
        "given_up": f"given up{milliseconds}",
    }
    return words.get(record.name, record.name)


def why(dev, block):
    """The events that tell one block's story: its own, and its stick's while it had a shadow."""
    shadowed = False
    for record in story():
        own = record.name not in STICK_EVENTS and (record.dev, record.block) == (dev, block)
        of_stick = record.name in STICK_EVENTS and record.dev == whole_disk(dev)
        if own:
            shadowed = record.name not in ("durable", "discarded", "forgotten") and (
                shadowed or record.name == "shadowed")
        if own or (of_stick and shadowed):
            yield record


class Why(Command):
    """why BLOCK [DEVICE]: the story of a block: dirtied by a process, shadowed, queued, written,
flushed, pulled, replayed; as far back as the kernel's log of 4096 events goes.

Without a device, every device that has a story of a block with this number."""

    def run(self, arguments):
        if not arguments or not arguments[0].isdigit():
            raise gdb.GdbError("why BLOCK [DEVICE], for example: why 1234 sda")
        block = int(arguments[0])
        if len(arguments) > 1:
            devices = [dev_number(arguments[1])]
        else:
            devices = sorted({record.dev for record in story()
                              if record.name not in STICK_EVENTS and record.block == block})
        for dev in devices:
            self._tell(dev, block)
        if not devices:
            say(f"block {block}: the log knows nothing of it")

    @staticmethod
    def _tell(dev, block):
        say(f"{dev_name(dev)} block {block}:")
        for record in why(dev, block):
            say(f"  #{record.turn:<6} {sentence(record)}")
        heads = [head for head in all_heads() if (head.dev, head.block) == (dev, block)]
        say(f"  now: {head_line(heads[0]).strip() if heads else 'not in the cache'}")
        for volume in volumes():
            for slot in elements(volume["set"]):
                if (number(slot["dev"]), number(slot["block"])) == (dev, block):
                    say(slot_line(slot))


def install():
    Ckpt()
    Why()
