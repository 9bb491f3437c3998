// The command ring: slots, contexts and the states of endpoints (xHCI 1.2, 4.6).
#include <utility>

#include "hal/clock.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/controller.h"

namespace sim::hc {

namespace {

// The types of endpoints that the simulated devices have (6.2.3).
constexpr u32 bulk_out = 2, control_type = 4, bulk_in = 6;

constexpr u32 dequeue_low = 2, dequeue_high = 3;
constexpr u64 page = 4096;

u32 packet_size_at_start(bus_speed speed) {
  return speed == bus_speed::super ? 512 : speed == bus_speed::high ? 64 : 8;
}

}  // namespace

void controller::kick_commands() {
  if (commands_scheduled_) return;
  commands_scheduled_ = true;
  time_.between(1_us, 40_us, [this] { run_commands(); });
}

void controller::run_commands() {
  commands_scheduled_ = false;
  if (!commands_running_ || commands_stopping_ || command_hangs_ || ignore_commands) return;
  const std::optional<fetched_trb> next = fetch(commands_, false);
  if (!next) return;  // the ring is empty, but CRR stays 1 (5.4.5)
  step(step_kind::trb_fetch);
  if (hang_command == next->t.type()) {
    hang_command.reset();
    command_hangs_ = true;
    hanging_address_ = next->address;
    hanging_ = next->t;
    return;
  }
  if (next->t.type() == cmd_enable_slot && kills_at(moment::enabling_a_slot, deadly_port) &&
      (ports_[deadly_port].status & port_enabled))
    return break_down();
  ++commands_begun;
  check_reserved(next->t);
  const bool fails = fail_command.strikes();
  if (fails && fail_command.code == 0) {
    command_hangs_ = true;
    hanging_address_ = next->address;
    return;
  }
  u32 slot_id = next->t.slot();
  const u32 outcome = fails ? fail_command.code : execute(next->t, slot_id);
  if (lose_event_of == next->t.type())
    lose_event_of.reset();
  else
    post({next->address, outcome << 24, event_command << 10 | slot_id << 24});
  kick_commands();
}

// 4.6.1.2: a hanging command ends at once; some time later the ring stops behind it. Until then a
// doorbell is lost.
void controller::abort_commands() {
  if (commands_stopping_) return;
  commands_stopping_ = true;
  if (!stops_at_a_look) end_hanging_command();
  if (ring_never_stops || stops_at_a_look) return;
  if (chosen_.like_qemu) return stop_commands();
  time_.between({}, 100_ms, [this] { stop_commands(); });
}

void controller::end_hanging_command() {
  if (!std::exchange(command_hangs_, false)) return;
  u32 slot_id = hanging_.slot();
  const u32 outcome =
      hanging_command_is_slow ? execute(hanging_, slot_id) : static_cast<u32>(command_aborted);
  post({hanging_address_, outcome << 24, event_command << 10 | slot_id << 24});
}

void controller::stop_commands() {
  if (!commands_stopping_) return;  // it was reset meanwhile
  end_hanging_command();
  post({commands_.at.address, command_ring_stopped << 24, event_command << 10});
  commands_running_ = commands_stopping_ = ignore_commands = false;
}

u32 controller::execute(const trb& t, u32& id) {
  if (t.type() == cmd_no_op) return success;
  if (t.type() == cmd_enable_slot) return enable_slot(t, id);
  if (t.type() < cmd_disable_slot || t.type() > cmd_reset_device) {
    complain("an unknown command, type " + std::to_string(t.type()));
    return trb_error;
  }
  if (id == 0 || id > config_ || !slots_[id].enabled) return slot_not_enabled;
  switch (t.type()) {
    case cmd_disable_slot: return disable_slot(id);
    case cmd_address_device: return address_device(id, t.parameter);
    case cmd_configure_endpoint: return configure_endpoints(id, t);
    case cmd_evaluate_context: return evaluate_context(id, t.parameter);
    case cmd_reset_endpoint: return reset_endpoint(id, t.endpoint(), t.control & 1u << 9);
    case cmd_stop_endpoint: return stop_endpoint(id, t.endpoint());
    case cmd_set_dequeue: return set_dequeue(id, t.endpoint(), t.parameter);
    default: return reset_device(id);
  }
}

// --- slots ---

u32 controller::enable_slot(const trb& t, u32& id) {
  const u32 type = t.endpoint();
  if (type != 0 && type != chosen_.usb2_slot_type)
    complain("Enable Slot with a slot type that no port has");
  std::vector<u32> free;
  for (u32 n = 1; n <= config_; ++n)
    if (!slots_[n].enabled) free.push_back(n);
  id = 0;
  if (free.empty()) return no_slots;
  id = chosen_.like_qemu ? free.front() : free[random_below(free.size())];
  slots_[id] = {};
  slots_[id].enabled = true;
  slots_[id].type = type;
  const bus_place table = dma_.learn(dcbaap_, 8 * (config_ + 1), "the context base address array");
  if (dma_.read<u64>(table, 8 * id, "the context base address array") != 0)
    complain("a device context for a slot that is disabled");
  return success;
}

// 4.6.4: before this command, software must stop every endpoint that is at work.
u32 controller::disable_slot(u32 id) {
  for (u32 dci = 1; dci < 32; ++dci)
    if (busy(slots_[id].endpoints[dci]))
      complain("Disable Slot while endpoint " + std::to_string(dci) + " is at work");
  slots_[id].state = slot_enabled;
  if (slots_[id].context) show_slot(slots_[id]);
  slots_[id] = {};
  return success;
}

bool controller::busy(const endpoint& e) const { return e.state == ep_running && !e.td.empty(); }

// The input context of a command, in which the parts with these device context indices are read.
// Bits that are reserved, and those that only the controller sets, must be 0 (6.2).
bus_place controller::input_context(u64 at, u32 count, u32 parts) {
  if (at % 16 != 0) complain("an input context that is not aligned");
  if (at / page != (at + count * stride() - 1) / page)
    complain("an input context that crosses a page");
  const bus_place input = dma_.learn(at, count * stride(), "an input context");
  for (u32 index = 2; index < 8; ++index)
    if (word(input, 0, index) != 0) complain("reserved words in an input control context");
  if (parts & 1) check_slot_context(input);
  for (u32 dci = 1; dci < count - 1; ++dci)
    if (parts >> dci & 1) check_endpoint_context(input, dci);
  return input;
}

// 4.3.3: the driver clears a device context before the controller writes it.
bool controller::is_zero(bus_place context) const {
  u32 all = 0;
  for (u32 index = 0; index < 32; ++index)
    for (u32 at = 0; at < 8; ++at) all |= word(context, index, at);
  return all == 0;
}

// Of a device that is no hub, and not slower than the hubs before it (6.2.2).
void controller::check_slot_context(bus_place input) {
  u32 rest = (word(input, 1, 0) & ~(0xF'FFFFu | 15u << 20 | 31u << 27)) |
             (word(input, 1, 1) & ~(255u << 16));
  for (u32 index = 2; index < 8; ++index) rest |= word(input, 1, index);
  if (rest != 0) complain("a slot context with more than a device has that is no hub");
}

// Of a control or bulk endpoint without streams (6.2.3).
void controller::check_endpoint_context(bus_place input, u32 dci) {
  u32 rest = word(input, dci + 1, 0) | (word(input, dci + 1, 1) & (1u | 3u << 6)) |
             (word(input, dci + 1, dequeue_low) & 14) | (word(input, dci + 1, 4) & 0xFFFF'0000);
  for (u32 index = 5; index < 8; ++index) rest |= word(input, dci + 1, index);
  if (rest != 0) complain("an endpoint context with more than a bulk endpoint has");
  if (dci == 1 && (word(input, 2, 1) >> 8 & 0xFF) != 0) complain("EP0 has another burst size");
}

u32 controller::address_device(u32 id, u64 at) {
  slot& s = slots_[id];
  const bus_place table = dma_.learn(dcbaap_, 8 * (config_ + 1), "the context base address array");
  const bus_place input = input_context(at, 3, 3);
  if (at % 16 != 0 || word(input, 0, 0) != 0 || word(input, 0, 1) != 3) return trb_error;
  if (s.state != slot_enabled && s.state != slot_default) return context_state_error;
  const auto output = dma_.read<u64>(table, 8 * id, "the context base address array");
  if (output % 64 != 0) complain("a device context that is not aligned");
  if (output / page != (output + 32 * stride() - 1) / page)
    complain("a device context that crosses a page");
  s.context = dma_.learn(output, 32 * stride(), "a device context");
  if (s.state == slot_enabled && !is_zero(s.context)) complain("a device context that is not 0");
  s.root_port = word(input, 1, 1) >> 16 & 0xFF;
  const u32 ep0 = word(input, 2, 1), speed = word(input, 1, 0) >> 20 & 15;
  if (s.root_port == 0 || s.root_port > ports || word(input, 1, 0) >> 27 != 1 ||
      (ep0 >> 3 & 7) != control_type)
    return parameter_error;
  if ((word(input, 1, 0) & 0xF'FFFF) != ports_[s.root_port].route_string) {
    complain("a route string that leads to no device");
    return transaction_error;
  }
  for (u32 n = 1; n <= config_; ++n)
    if (n != id && slots_[n].enabled && slots_[n].root_port == s.root_port &&
        slots_[n].connection == ports_[s.root_port].connection)
      complain("two slots for one device");
  if (s.type != (is_super(s.root_port) ? 0 : chosen_.usb2_slot_type))
    complain("a slot of another type than the port's");
  s.connection = ports_[s.root_port].connection;
  if (const u32 loaded = load_endpoint(s, 1, input); loaded != success) return loaded;
  usb_function* device = reachable(s);
  const u32 status = ports_[s.root_port].status;
  if ((status & port_connected) && !(status & (port_enabled | all_changes)))
    complain("Address Device for a port that is not enabled");
  if (!device) return transaction_error;
  if (device->address() != 0) {  // it was not reset, and does not listen to address 0
    complain("Address Device for a device that has an address");
    return transaction_error;
  }
  const bus_speed actual = speed_in(s.root_port);
  const bool is_behind_hubs = ports_[s.root_port].route_string != 0;
  if (speed != (is_behind_hubs ? static_cast<u32>(actual) : ports_[s.root_port].status >> 10 & 15))
    complain("the slot context has another speed");
  const bool known = actual == bus_speed::full && ep0 >> 16 == device->packet_sizes[1];
  if (ep0 >> 16 != packet_size_at_start(actual) && !known) complain("EP0 has another packet size");
  check_patience(s.root_port);
  s.addressed = now();
  device->set_address(next_address_ = static_cast<u8>(next_address_ % 127 + 1));
  s.state = slot_addressed;
  for (u32 at_word = 0; at_word < 3; ++at_word)
    put_word(s.context, 0, at_word, word(input, 1, at_word));
  show_slot(s);
  show_endpoint(s, 1);
  return success;
}

u32 controller::reset_device(u32 id) {
  slot& s = slots_[id];
  if (s.state != slot_addressed && s.state != slot_configured) return context_state_error;
  s.state = slot_default;
  for (u32 dci = 2; dci < 32; ++dci) {
    if (busy(s.endpoints[dci])) complain("Reset Device while an endpoint is at work");
    s.endpoints[dci] = {};
    show_endpoint(s, dci);
  }
  show_slot(s);
  return success;
}

// --- contexts ---

// Takes over an endpoint from an input context. Values that no simulated device has are refused.
u32 controller::load_endpoint(slot& s, u32 dci, bus_place input) {
  const u32 dw1 = word(input, dci + 1, 1);
  const u64 pointer = word(input, dci + 1, dequeue_low) | u64{word(input, dci + 1, dequeue_high)}
                                                              << 32;
  endpoint e;
  e.type = dw1 >> 3 & 7;
  e.max_packet = dw1 >> 16;
  e.burst = e.max_packet * ((dw1 >> 8 & 0xFF) + 1);
  const u32 expected = dci == 1 ? control_type : dci % 2 ? bulk_in : bulk_out;
  if (e.type != expected || e.max_packet == 0 || (pointer & 14) != 0) return parameter_error;
  if ((dw1 >> 1 & 3) != 3) complain("CErr is not 3");
  if ((word(input, dci + 1, 4) & 0xFFFF) == 0) complain("an average TRB length of 0");
  if (const usb_function* device = reachable(s); device && dci != 1) {
    if (e.max_packet != device->packet_sizes[dci]) complain("an endpoint has another packet size");
    if ((dw1 >> 8 & 0xFF) != device->bursts[dci]) complain("an endpoint has another burst size");
  }
  e.dequeue = {dma_.learn(pointer & ~u64{15}, sizeof(trb), "a transfer ring"), (pointer & 1) != 0};
  e.state = ep_running;
  s.endpoints[dci] = e;
  return success;
}

u32 controller::configure_endpoints(u32 id, const trb& t) {
  slot& s = slots_[id];
  if (s.state != slot_addressed && s.state != slot_configured) return context_state_error;
  if (t.control & 1u << 9) return trb_error;  // deconfigure: not supported
  const bus_place input = input_context(t.parameter, input_contexts, word_at(t.parameter, 4));
  const u32 drop = word(input, 0, 0), add = word(input, 0, 1);
  if (((drop | add) & 2) != 0) complain("Configure Endpoint of EP0");
  if ((drop & 3) || (add & 3) != 1) return trb_error;
  u32 highest = 1;
  for (u32 dci = 2; dci < 32; ++dci) {
    if (drop >> dci & 1) {
      if (s.endpoints[dci].state == ep_running) complain("an endpoint that runs is dropped");
      s.endpoints[dci] = {};
    }
    if (add >> dci & 1) {
      if (s.endpoints[dci].state != ep_disabled) complain("an endpoint is added twice");
      if (const u32 loaded = load_endpoint(s, dci, input); loaded != success) return loaded;
    }
    if (s.endpoints[dci].state != ep_disabled) highest = dci;
    show_endpoint(s, dci);
  }
  if (word(input, 1, 0) >> 27 != highest) complain("Context Entries is not the last endpoint");
  for (u32 at = 0; at < 3; ++at)
    if ((word(input, 1, at) ^ word(s.context, 0, at)) & (at ? ~0u : 0x07FF'FFFF))
      complain("the slot context is not that of the device");
  s.state = highest > 1 ? slot_configured : slot_addressed;
  put_word(s.context, 0, 0, word(input, 1, 0));
  show_slot(s);
  return success;
}

u32 controller::evaluate_context(u32 id, u64 at) {
  slot& s = slots_[id];
  if (s.state == slot_enabled) return context_state_error;
  const bus_place input = input_context(at, 3, word_at(at, 4));
  if (word(input, 0, 0) != 0 || word(input, 0, 1) & ~3u) return trb_error;
  if (!(word(input, 0, 1) & 2)) return success;
  s.endpoints[1].max_packet = word(input, 2, 1) >> 16;
  if ((word(input, 2, 1) >> 3 & 7) != control_type || (word(input, 2, 1) >> 1 & 3) != 3)
    complain("Evaluate Context changes more than the packet size");
  show_endpoint(s, 1);
  return success;
}

void controller::show_slot(const slot& s) const {
  const u32 address = s.state >= slot_addressed ? next_address_ : 0;
  put_word(s.context, 0, 3, address | s.state << 27);
}

// QEMU's dequeue pointer is behind all TRBs that it has fetched.
void controller::show_endpoint(const slot& s, u32 dci) const {
  const endpoint& e = s.endpoints[dci];
  u64 pointer = e.dequeue.at.address | (e.dequeue.cycle ? 1 : 0);
  if (!e.td.empty())
    pointer = chosen_.like_qemu ? e.behind.at.address | (e.behind.cycle ? 1 : 0)
                                : e.td[e.index].address | (e.td[e.index].t.cycle() ? 1 : 0);
  show_state(s, dci);
  put_word(s.context, dci, 1, 3u << 1 | e.type << 3 | e.max_packet << 16);
  put_word(s.context, dci, dequeue_low, static_cast<u32>(pointer));
  put_word(s.context, dci, dequeue_high, static_cast<u32>(pointer >> 32));
}

void controller::show_state(const slot& s, u32 dci) const {
  if (late_states.ns == 0) return put_word(s.context, dci, 0, s.endpoints[dci].state);
  time_.after(late_states, [this, &s, dci, at = s.context, of = s.connection] {
    if (s.enabled && s.connection == of && s.state >= slot_addressed)
      put_word(at, dci, 0, s.endpoints[dci].state);
  });
}

// --- endpoints ---

// Without `preserve` the controller forgets how far it was in the failed TD; on a doorbell it would
// execute that TD again (4.6.8).
u32 controller::reset_endpoint(u32 id, u32 dci, bool preserve) {
  endpoint& e = slots_[id].endpoints[dci];
  if (e.state != ep_halted) return context_state_error;
  if (chosen_.like_qemu && !reachable(slots_[id])) return transaction_error;
  e.state = ep_stopped;
  if (!preserve) {
    e.toggle = false;
    e.at_failed_td = !e.td.empty();
    if (chosen_.like_qemu && !e.td.empty()) e.dequeue = e.behind;
    e.td.clear();
  }
  show_endpoint(slots_[id], dci);
  return success;
}

// A TD under way is reported with the number of bytes that are left, before the event of the
// command.
u32 controller::stop_endpoint(u32 id, u32 dci) {
  slot& s = slots_[id];
  endpoint& e = s.endpoints[dci];
  if (e.state == ep_disabled) return endpoint_not_enabled;
  if (e.state != ep_running || now() < e.starts_at) return context_state_error;
  if (e.lost_answer && reachable(s)) {  // the packet under way comes to its end first
    const u32 noise_then = std::exchange(noise, 0);
    transact(id, dci);
    noise = noise_then;
    if (e.state != ep_running) return context_state_error;
  }
  e.state = ep_stopped;
  e.waiting = e.silent = false;
  tell_stopped(id, dci);
  show_endpoint(s, dci);
  if (chosen_.like_qemu && !e.td.empty()) {
    e.dequeue = e.behind;
    e.td.clear();
  }
  return success;
}

// 4.6.9. In a TD: Stopped, with the bytes that are left of the TRB; or, after data have been moved,
// Stopped - Short Packet, with the bytes that the TD has moved. Between TDs a controller may say
// that no length is valid, at the place of the next TRB. QEMU says nothing then, nor after a pull.
void controller::tell_stopped(u32 id, u32 dci) {
  const endpoint& e = slots_[id].endpoints[dci];
  if (e.td.empty()) {
    if (!chosen_.like_qemu && random_chance(2))
      tell(id, dci, stopped_length_invalid, 0xFF'FFFF, e.dequeue.at.address);
    return;
  }
  if (chosen_.like_qemu && !reachable(slots_[id])) return;
  const fetched_trb& here = e.td[e.index];
  u32 before = e.offset;
  for (size_t i = 0; i < e.index; ++i) before += e.td[i].t.length();
  if (before > 0 && !chosen_.like_qemu && random_chance(2))
    return tell(id, dci, stopped_short_packet, before, here.address);
  tell(id, dci, stopped, here.t.length() - e.offset, here.address);
}

u32 controller::set_dequeue(u32 id, u32 dci, u64 pointer) {
  slot& s = slots_[id];
  endpoint& e = s.endpoints[dci];
  if (e.state != ep_stopped && e.state != ep_error) return context_state_error;
  if (pointer & 14) complain("a dequeue pointer with stream bits");
  e.dequeue = {dma_.learn(pointer & ~u64{15}, sizeof(trb), "a transfer ring"), (pointer & 1) != 0};
  e.td.clear();
  e.at_failed_td = false;
  e.state = ep_stopped;
  show_endpoint(s, dci);
  return success;
}

}  // namespace sim::hc
