"""Pretty-printers: `print *bh` and `info locals` in the kernel's own words."""

import gdb
import gdb.printing
from cache import head_at, head_line
from ckpt import slot_line
from kernel import (array, dev_name, elements, enum_name, error_name, find_field, number,
                    optional, seconds, text)
from tasks import name_of, sleepers


class Words:
    """A value that is one line of text."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        raise NotImplementedError


class StrongId(Words):
    def to_string(self):
        tag = str(self._value.type.strip_typedefs().template_argument(0))
        return f"{tag.rpartition('::')[2].removesuffix('_tag')} {int(self._value['value_'])}"


class DevId(Words):
    def to_string(self):
        dev = int(self._value["value_"])
        return f"{dev_name(dev)} ({dev >> 8},{dev & 255})" if dev else "no device"


class Result(Words):
    """result<T>: what is expected, or the error."""

    def to_string(self):
        if not find_field(self._value, "_M_has_value"):
            return f"error {error_name(find_field(self._value, '_M_unex'))}"
        value = find_field(self._value, "_M_val")
        return "ok" if value is None else f"ok {value.format_string()}"


class Optional(Words):
    def to_string(self):
        value = optional(self._value)
        return "nothing" if value is None else value.format_string()


class Instant(Words):
    def to_string(self):
        return seconds(int(self._value["ns"]))


class WaitQueue(Words):
    def to_string(self):
        names = sleepers(self._value)
        return f"waited for by {', '.join(names)}" if names else "nobody waits"


class ListLink(Words):
    def to_string(self):
        owner = int(self._value["owner"])
        if not owner:
            return "on no list"
        return f"on list {owner:#x}, next {int(self._value['next']):#x}"


class List:
    """An intrusive_list and its elements' addresses."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        return f"list of {int(self._value['size_'])}"

    def children(self):
        for index, element in enumerate(elements(self._value)):
            yield f"[{index}]", element.address

    def display_hint(self):
        return "array"


class Members:
    """A structure with a line in front that says the most important."""

    def __init__(self, value):
        self._value = value

    def summary(self):
        raise NotImplementedError

    def to_string(self):
        return self.summary().strip()

    def children(self):
        for field in self._value.type.strip_typedefs().fields():
            if field.name and not field.is_base_class:
                yield field.name, self._value[field]


class BufferHead(Members):
    def summary(self):
        return head_line(head_at(int(self._value.address)))


class Slot(Members):
    def summary(self):
        return slot_line(self._value)


class Volume(Members):
    def summary(self):
        return (f"{dev_name(number(self._value['disk']))} {enum_name(self._value['state'])}, "
                f"{int(self._value['set']['size_'])} blocks in its set")


class Request(Members):
    def summary(self):
        return (f"{enum_name(self._value['cmd'])} of {int(self._value['nr_sectors'])} sectors from "
                f"{number(self._value['sector'])}, {int(self._value['buffers']['size_'])} buffers")


class Inode(Members):
    def summary(self):
        return (f"inode {number(self._value['i_num'])} on {dev_name(number(self._value['i_dev']))} "
                f"{text(self._value['i_path']['text'])}")


class Task(Members):
    def summary(self):
        return f"{name_of(self._value)} {enum_name(self._value['state'])}"


class Characters(Words):
    """std::array<char, N>: a name."""

    def to_string(self):
        return f'"{text(self._value)}"'


class Array:
    """std::array and std::span."""

    def __init__(self, value):
        self._value = value

    def to_string(self):
        return None

    def children(self):
        for index, element in enumerate(array(self._value)):
            yield f"[{index}]", element

    def display_hint(self):
        return "array"


class Span(Words):
    """A span is told by its place and length: what stands there may be a megabyte."""

    def to_string(self):
        count = find_field(self._value, "_M_extent_value")
        length = int(count) if count is not None else self._value.type.strip_typedefs(
            ).template_argument(1)
        return f"{length} at {int(self._value['_M_ptr']):#x}"


class Text(Words):
    def to_string(self):
        length = int(self._value["_M_len"])
        return f'"{self._value["_M_str"].string(length=length)}"' if length else '""'


PRINTERS = {
    r"^strong_id<.*>$": StrongId, r"^dev_id$": DevId, r"^std::expected<.*>$": Result,
    r"^std::optional<.*>$": Optional, r"^(instant|duration)$": Instant, r"^wait_queue$": WaitQueue,
    r"^list_link<.*>$": ListLink, r"^intrusive_list<.*>$": List, r"^buffer_head$": BufferHead,
    r"^checkpoint::slot$": Slot, r"^checkpoint::volume$": Volume, r"^request$": Request,
    r"^m_inode$": Inode, r"^task_struct$": Task, r"^std::array<char, .*>$": Characters,
    r"^std::array<.*>$": Array, r"^std::span<.*>$": Span, r"^std::basic_string_view<.*>$": Text,
}


def install():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("replug")
    for pattern, printer in PRINTERS.items():
        collection.add_printer(printer.__name__, pattern, printer)
    gdb.printing.register_pretty_printer(None, collection, replace=True)
