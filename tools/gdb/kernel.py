"""The kernel's structures, as gdb's Python sees them: by its debug information, never by numbers.

Everything else in tools/gdb stands on this file.
"""

import functools
import re
import shlex

import gdb

ANONYMOUS = "(anonymous namespace)::"
KERNEL_BASE = 0x80000000
U32 = 0xFFFFFFFF


class Command(gdb.Command):
    """A command named after its class, in lower case; its help is the text of the class."""

    def __init__(self):
        super().__init__(type(self).__name__.lower(), gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        try:
            self.run(shlex.split(argument))
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"{error}. Does the kernel run yet? Paging begins in boot/head.asm."
                               ) from error

    def run(self, arguments):
        raise NotImplementedError


def say(text=""):
    gdb.write(f"{text}\n")


# --- variables and types ---------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def symbol(name, file=""):
    """A variable's symbol, also of one in an anonymous namespace; `file` tells namesakes apart."""
    scope, _, last = name.rpartition("::")
    prefix = f"{scope}::" if scope else ""
    found = [gdb.lookup_global_symbol(name)]
    for candidate in (name, f"{prefix}{ANONYMOUS}{last}"):
        found += gdb.lookup_static_symbols(candidate)
    for candidate in found:
        if candidate and candidate.symtab.filename.endswith(file):
            return candidate
    raise gdb.GdbError(f"the kernel has no variable {name}")


def variable(name, file=""):
    return symbol(name, file).value()


class Kernel(gdb.Function):
    """$kernel("checkpoint::volumes"): a variable of the kernel, also one of an anonymous namespace,
which C++ expressions reach only with luck. A second argument is the end of its file's name."""

    def __init__(self):
        super().__init__("kernel")

    def invoke(self, name, *file):
        return variable(name.string(), *(end.string() for end in file))


@functools.lru_cache(maxsize=None)
def type_named(name):
    return gdb.lookup_type(name)


def enum_name(value):
    """slot_state::held → held"""
    return str(value).rpartition("::")[2]


def enum_names(type_name):
    """{number: name} of an enumeration."""
    return {field.enumval: field.name.rpartition("::")[2]
            for field in type_named(type_name).fields()}


def array(value):
    """The elements of a std::array or a std::span."""
    type_ = value.type.strip_typedefs()
    if type_.name.startswith("std::array<"):
        elements_ = value["_M_elems"]
        return (elements_[index] for index in range(elements_.type.strip_typedefs().range()[1] + 1))
    count = int(find_field(value, "_M_extent_value"))
    return (value["_M_ptr"][index] for index in range(count))


def find_field(value, name):
    """A member, wherever in the base classes and nested members it stands."""
    type_ = value.type.strip_typedefs()
    for field in type_.fields():
        if not hasattr(field, "bitpos"):  # a static one
            continue
        if field.name == name:
            return value[field]
        if field.type.strip_typedefs().code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            found = find_field(value[field], name)
            if found is not None:
                return found
    return None


def text(value):
    """A NUL-terminated std::array<char, N>."""
    return value["_M_elems"].string("latin-1", "replace")


def number(value):
    """A strong_id, dev_id, field or plain integer, as a Python int."""
    type_ = value.type.strip_typedefs()
    if type_.code == gdb.TYPE_CODE_STRUCT:
        return int(value["value_"])
    return int(value)


def optional(value):
    """What a std::optional holds, None when it is empty."""
    if not find_field(value, "_M_engaged"):
        return None
    return find_field(value, "_M_value")


def read(address, size):
    return gdb.selected_inferior().read_memory(address & U32, size)


def read32(address):
    return int.from_bytes(read(address, 4), "little")


# --- lists -----------------------------------------------------------------------------------

def elements(list_value):
    """The elements of an intrusive_list."""
    type_ = list_value.type.strip_typedefs()
    element = type_.template_argument(0)
    link_offset = int(type_.template_argument(1).cast(type_named("int")))
    at = int(list_value["front_"])
    for _ in range(int(list_value["size_"])):
        if not at:
            raise gdb.GdbError("a list ends before its size says so: it is damaged or being changed")
        yield at_address(at, element)
        at = read32(at + link_offset)


def at_address(address, type_):
    if isinstance(type_, str):
        type_ = type_named(type_)
    return gdb.Value(address & U32).cast(type_.pointer()).dereference()


def objects(pool):
    """The objects of a usb::object_pool."""
    type_ = pool.type.strip_typedefs().template_argument(0)
    for _, place in zip(range(int(pool["made_"])), array(pool["slots_"])):
        yield place.address.cast(type_.pointer()).dereference()


# --- many structures at once -------------------------------------------------------------------

class Layout:
    """Some members of a structure, for reading thousands of them: one transfer for a whole array.

        Layout("buffer_head", dev="b_dev.value_", count="b_count").array(address, 64)
    """

    def __init__(self, type_name, **paths):
        self._type = type_named(type_name)
        self._places = {name: _place(self._type, path.split("."))
                        for name, path in paths.items()}

    def array(self, address, count):
        size = self._type.sizeof
        memory = bytes(read(address, size * count))
        for index in range(count):
            yield self._record(address + size * index, memory, size * index)

    def at(self, address):
        return self._record(address, bytes(read(address, self._type.sizeof)), 0)

    def _record(self, address, memory, start):
        record = Record(address)
        for name, (offset, size) in self._places.items():
            record.__dict__[name] = int.from_bytes(
                memory[start + offset:start + offset + size], "little")
        return record


class Record:
    def __init__(self, address):
        self.address = address


def _place(type_, path):
    offset = 0
    for name in path:
        inner, type_ = _member(type_.strip_typedefs(), name)
        offset += inner
    return offset, type_.sizeof


def _member(type_, name):
    for field in type_.fields():
        if field.name == name:
            return field.bitpos // 8, field.type
    for field in type_.fields():
        if field.is_base_class:
            try:
                offset, found = _member(field.type.strip_typedefs(), name)
                return field.bitpos // 8 + offset, found
            except KeyError:
                pass
    raise KeyError(f"{type_} has no member {name}")


# --- names -------------------------------------------------------------------------------------

MAJOR_RAM, MAJOR_DISK = 1, 8


def dev_name(dev):
    """8,17 → sdb1, as disk_name of genhd.cc does."""
    major, minor = dev >> 8, dev & 0xFF
    if major == MAJOR_DISK:
        return f"sd{chr(ord('a') + minor // 16)}{minor % 16 or ''}"
    if major == MAJOR_RAM:
        return f"ram{minor}"
    return f"{major},{minor}" if dev else "-"


def dev_number(name):
    """sda1, ram0, or 8,1: a device's number."""
    found = re.fullmatch(r"(?:/dev/)?(?:sd([a-h])(\d*)|ram(\d+)|(\d+),(\d+))", name)
    if not found:
        return None
    letter, part, ram, major, minor = found.groups()
    if letter:
        return MAJOR_DISK << 8 | (ord(letter) - ord("a")) * 16 | int(part or 0)
    if ram is not None:
        return MAJOR_RAM << 8 | int(ram)
    return int(major) << 8 | int(minor)


def whole_disk(dev):
    return dev & 0xFFF0 if dev >> 8 == MAJOR_DISK else dev


def seconds(nanoseconds):
    return "never" if nanoseconds == (1 << 63) - 1 else f"{nanoseconds / 1e9:.3f} s"


def error_name(value):
    return enum_names("error").get(int(value), str(int(value)))


# --- what stands at an address -----------------------------------------------------------------

def describe(address):
    """The variable that an address belongs to and the way into it: inode_table[3].i_wait"""
    line = gdb.execute(f"info symbol {address:#x}", to_string=True)
    found = re.match(r"(.+?)(?: \+ (\d+))?(?: in section .*)?$", line.strip())
    if not found or line.startswith("No symbol"):
        return None
    name, offset = found.group(1), int(found.group(2) or 0)
    for candidate in gdb.lookup_static_symbols(name) + [gdb.lookup_global_symbol(name)]:
        if candidate and candidate.is_variable and int(candidate.value().address) == address - offset:
            return short(name) + path_into(candidate.type, offset, candidate.value())
    return short(name) + (f"+{offset}" if offset else "")


def path_into(type_, offset, value=None):
    """The member of a type that stands at an offset, down to wait queues."""
    type_ = type_.strip_typedefs()
    if type_.code == gdb.TYPE_CODE_ARRAY:
        element = type_.target()
        index = offset // element.sizeof
        return f"[{index}]" + path_into(element, offset % element.sizeof)
    if type_.code != gdb.TYPE_CODE_STRUCT or type_.name == "wait_queue":
        return ""
    if (type_.name or "").startswith("usb::object_pool<"):
        return _path_into_pool(type_, offset)
    for field in type_.fields():
        if not hasattr(field, "bitpos"):
            continue
        start = field.bitpos // 8
        if start <= offset < start + field.type.sizeof:
            inner = path_into(field.type, offset - start)
            hidden = field.is_base_class or not field.name or field.name.startswith("_M_")
            return inner if hidden else f".{field.name}{inner}"
    return ""


def _path_into_pool(pool, offset):
    element = pool.template_argument(0)
    places = pool.fields()[0].type.strip_typedefs()
    stride = places.template_argument(0).sizeof
    return f"[{offset // stride}]" + path_into(element, offset % stride)


def short(name):
    return name.replace(ANONYMOUS, "").partition("(")[0] if name else name


def function_at(pc):
    """Name of the innermost function, with those inlined there, innermost first."""
    names = []
    block = gdb.block_for_pc(pc)
    while block and not block.is_global and not block.is_static:
        if block.function:
            names.append(short(block.function.print_name))
            if not block.function.symtab or not _is_inlined(block):
                break
        block = block.superblock
    return names or [short(_minimal_symbol(pc))]


def _is_inlined(block):
    outer = block.superblock
    while outer and not outer.is_global and not outer.is_static:
        if outer.function:
            return True
        outer = outer.superblock
    return False


def _minimal_symbol(pc):
    line = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return line.partition(" + ")[0].partition(" in section")[0].strip()


def source_line(pc):
    place = gdb.find_pc_line(pc)
    return f"{place.symtab.filename}:{place.line}" if place.symtab else f"{pc:#010x}"


def install():
    Kernel()
