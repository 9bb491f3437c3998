"""rings, ports: the xHCI controllers, their rings with decoded TRBs, and the ports of their root hubs."""

import struct

from kernel import (Command, array, at_address, enum_names, objects, path_into, read, read32, say,
                    text, type_named, variable)
from tasks import HEAP

TRB = struct.Struct("<QII")


def controllers():
    return list(objects(variable("controllers", "usb_init.cc")))


def slots(controller):
    """[(slot, device)] of a controller."""
    return [(slot, pointer.dereference()) for slot, pointer in enumerate(array(controller["devices_"]))
            if int(pointer)]


def place_in_attendant(address):
    """The name of what stands at an address in the memory of a port's attendant; None elsewhere."""
    for controller in controllers():
        for pointer in array(controller["attendants_"]):
            attendant, offset = pointer.dereference(), address - int(pointer)
            if not int(pointer) or not 0 <= offset < attendant.type.sizeof:
                continue
            name, device = text(attendant["name_"]), type_named("xhci::device")
            inside = address - int(attendant["device_"].address)
            if 0 <= inside < device.sizeof:
                return f"{name}.device_{path_into(device, inside)}"
            return name + path_into(attendant.type, offset)
    return None


# --- TRBs (xHCI 1.2, 6.4) --------------------------------------------------------------------

def bits(word, high, low):
    return word >> low & (1 << high - low + 1) - 1


def decode(raw):
    """One line about a TRB."""
    parameter, status, control = TRB.unpack(raw)
    name = enum_names("xhci::trb_type").get(bits(control, 15, 10), f"type {bits(control, 15, 10)}")
    about = _DECODERS.get(name, _decode_other)(parameter, status, control)
    return f"c{control & 1} {name:24} {about}"


def _flags(control, **names):
    there = [name for name, bit in names.items() if control >> bit & 1]
    return f" [{' '.join(there)}]" if there else ""


def _decode_data(parameter, status, control):
    return (f"at {parameter:#010x} length {bits(status, 16, 0)} td_size {bits(status, 21, 17)}"
            + _flags(control, chain=4, ioc=5, isp=2))


def _decode_setup(parameter, status, control):
    request_type, request, value, index, length = struct.unpack("<BBHHH", parameter.to_bytes(8, "little"))
    return f"type {request_type:#04x} request {request} value {value:#06x} index {index} length {length}"


def _decode_link(parameter, status, control):
    return f"to {parameter:#010x}" + _flags(control, toggle=1, chain=4)


def _decode_completion(parameter, status, control):
    code = enum_names("xhci::completion").get(bits(status, 31, 24), bits(status, 31, 24))
    residual = bits(status, 23, 0)
    rest = f" residual {residual}" if residual else ""
    return f"{code}: slot {bits(control, 31, 24)} endpoint {bits(control, 20, 16)} TRB {parameter:#010x}{rest}"


def _decode_port(parameter, status, control):
    return f"port {bits(parameter, 31, 24)}"


def _decode_other(parameter, status, control):
    slot = bits(control, 31, 24)
    return (f"slot {slot} " if slot else "") + (
        f"endpoint {bits(control, 20, 16)} " if bits(control, 20, 16) else "") + (
        f"parameter {parameter:#010x}" if parameter else "") + _flags(control, ioc=5)


_DECODERS = {"normal": _decode_data, "data": _decode_data, "status": _decode_other,
             "setup": _decode_setup, "link": _decode_link, "transfer_event": _decode_completion,
             "command_completion_event": _decode_completion, "port_status_event": _decode_port}


# --- rings -----------------------------------------------------------------------------------

SHOWN_BEFORE = 4  # TRBs that are done with, before the dequeue position


def trb_bytes(memory, index):
    return bytes(read(int(memory["base_"]) + 16 * index, 16))


class Ring:
    """A ring as a row of TRBs with two marks."""

    def __init__(self, name, segments, per_segment, dequeue, enqueue, cycle):
        self.name, self._segments, self._per_segment = name, segments, per_segment
        self.dequeue, self.enqueue, self._cycle = dequeue, enqueue, cycle

    def size(self):
        return len(self._segments) * self._per_segment

    def show(self, everything):
        waiting = (self.enqueue - self.dequeue) % self.size() if self.enqueue is not None else None
        ends = f"dequeue {self.dequeue}" + (
            "" if self.enqueue is None else f", enqueue {self.enqueue}")
        say(f"  {self.name}: {self.size()} TRBs in {len(self._segments)} segments, cycle "
            f"{self._cycle}, {ends}" + (", empty" if waiting == 0 else ""))
        for index in self._chosen(everything):
            raw = self.trb(index)
            marks = ("dequeue " if index == self.dequeue else "") + (
                "enqueue " if index == self.enqueue else "")
            if any(raw) or marks:
                shown = decode(raw) if any(raw) else "c0 (never used)"
                say(f"    {marks:>16}{'>' if marks else ' '}{index:4}  {shown}")

    def trb(self, index):
        return trb_bytes(self._segments[index // self._per_segment], index % self._per_segment)

    def _chosen(self, everything):
        if everything:
            return range(self.size())
        last = self.dequeue if self.enqueue is None else self.enqueue
        span = (last - self.dequeue) % self.size()
        first = self.dequeue - SHOWN_BEFORE
        return [index % self.size() for index in range(first, first + SHOWN_BEFORE + span + 1)]


def producer_ring(name, ring, dequeue=None):
    memory = list(array(ring["memory_"]))
    enqueue = int(ring["enqueue_"])
    return Ring(name, memory, 256, enqueue if dequeue is None else dequeue, enqueue,
                int(ring["cycle_"]))


def event_ring(ring):
    return Ring("event ring", [ring["ring_"]], 512, int(ring["dequeue_"]), None, int(ring["cycle_"]))


def endpoint_name(device, index):
    if index == 0:
        return "endpoint 0 (control)"
    address = int(list(array(device["endpoints_"]))[index - 1]["address"])
    return f"endpoint {address & 15} {'IN' if address & 0x80 else 'OUT'}"


def rings_of(controller):
    commands, command = controller["commands_"], controller["command_"]
    if not list(array(commands["memory_"])):
        return
    dequeue = int(command["position"]) if command["busy"] and not command["done"] else None
    yield producer_ring("command ring", commands, dequeue)
    yield event_ring(controller["events_"])
    for slot, device in slots(controller):
        for index, queue in enumerate(array(device["queues_"])):
            if not int(queue["max_packet_"]):
                continue
            oldest = list(array(queue["descriptors_"]))[int(queue["head_"])]
            dequeue = int(oldest["first"]) if int(queue["count_"]) else None
            halted = ", halted" if "halted" in str(queue["state_"]) else ""
            yield producer_ring(f"slot {slot} {endpoint_name(device, index)}{halted}", queue["ring_"],
                                dequeue)


class Rings(Command):
    """rings [all] [WORD]: the rings of the USB controllers, TRBs decoded.

The command ring, the event ring, and the transfer ring of every endpoint, from a few TRBs before
the dequeue position (the oldest that is not done with) to the enqueue position (the next to be
filled). `all` shows every TRB that was ever used; a word chooses rings: rings event, rings OUT."""

    def run(self, arguments):
        everything = "all" in arguments
        words = [word for word in arguments if word != "all"]
        for controller in controllers():
            say(f"xhci{int(controller['number_'])}:")
            for ring in rings_of(controller):
                if all(word in ring.name for word in words):
                    ring.show(everything)


# --- ports -----------------------------------------------------------------------------------

PORTSC_1, PORT_STRIDE = 0x400, 0x10
FLAGS = {"connected": 0, "enabled": 1, "resetting": 4, "powered": 9}
CHANGES = {"connect": 17, "enable": 18, "warm-reset": 19, "over-current": 20, "reset": 21, "link": 22,
           "config": 23}


def port_line(controller, port):
    index = int(port["number_"])
    raw = read32(int(controller["operational_"]["base_"]) + PORTSC_1 + PORT_STRIDE * (index - 1))
    flags = " ".join(name for name, bit in FLAGS.items() if raw >> bit & 1)
    speed = enum_names("usb::speed").get(bits(raw, 13, 10), "?")
    link = enum_names("xhci::link_state").get(bits(raw, 8, 5), bits(raw, 8, 5))
    changed = " ".join(name for name, bit in CHANGES.items() if raw >> bit & 1)
    who = occupant(port)
    return (f"  port {index:2} USB {int(port['revision_'])}  PORTSC {raw:08x}  {flags}, link {link}"
            + (f", speed {speed}" if raw & 1 else "")
            + (f", changed: {changed}" if changed else "") + (f"  {who}" if who else "")
            + ("  given up" if port["given_up"] else ""))


def occupant(port):
    pointer = int(port["occupant"])
    if not pointer:
        return ""
    device = at_address(pointer, "xhci::device")
    facts = device["facts"]
    gone = ", gone" if device["gone_"] else ""
    return f"slot {int(device['slot_'])}: {text(facts['product'])} {text(facts['serial'])}{gone}"


class Ports(Command):
    """ports: the ports of the USB controllers: PORTSC, decoded, and the device behind each.

The registers are read from the machine itself."""

    def run(self, arguments):
        for controller in controllers():
            dead = ", dead" if controller["dead_"] else ""
            count = int(controller["port_count_"])
            say(f"xhci{int(controller['number_'])}: {count} ports{dead}")
            for index, port in enumerate(array(controller["ports_"])):
                if 1 <= index <= count:
                    say(port_line(controller, port))


def install():
    HEAP.append(place_in_attendant)
    Rings()
    Ports()
