// The endpoints: from a doorbell to packets and events (xHCI 1.2, 4.10). One call of serve() is one
// transaction on the wire.
#include <algorithm>

#include "hal/clock.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/controller.h"

namespace sim::hc {

u32 controller::left_of(const endpoint& e) const {
  u32 sum = 0;
  for (size_t i = e.index; i < e.td.size(); ++i) sum += e.td[i].t.length();
  return sum - std::min(sum, e.offset);
}

void controller::ring_doorbell(u32 id, u32 value) {
  const u32 dci = value & 0xFF;
  if (status_ & sts_halted) return;
  if (value & ~0xFFu) complain("a doorbell with a stream");
  if (id == 0) {
    if (dci != 0) complain("the command doorbell was rung for an endpoint");
    if (commands_stopping_) return complain("a command doorbell before the ring has stopped");
    if (command_hangs_) return;
    commands_running_ = true;
    return kick_commands();
  }
  if (id > config_ || !slots_[id].enabled) return complain("doorbell of a slot that is disabled");
  if (dci == 0 || dci > 31 || slots_[id].endpoints[dci].state == ep_disabled)
    return complain("doorbell of an endpoint that is disabled");
  endpoint& e = slots_[id].endpoints[dci];
  if (e.state == ep_halted || e.state == ep_error) return;
  if (e.state == ep_stopped) {
    if (e.at_failed_td) complain("a TD that has failed is executed again");
    e.starts_at = now() + late_starts;
    e.state = ep_running;
    if (late_starts.ns == 0)
      show_endpoint(slots_[id], dci);
    else
      time_.after(late_starts, [this, id, dci] {
        if (slots_[id].endpoints[dci].state == ep_running) show_endpoint(slots_[id], dci);
      });
  }
  kick(id, dci, duration{std::max(i64{0}, (e.starts_at - now()).ns)},
       25_us + duration{std::max(i64{0}, (e.starts_at - now()).ns)});
}

void controller::kick(u32 id, u32 dci, duration least, duration most) {
  endpoint& e = slots_[id].endpoints[dci];
  if (e.scheduled || e.waiting) return;
  e.scheduled = true;
  time_.between(least, most, [=, this] { serve(id, dci); });
}

void controller::serve(u32 id, u32 dci) {
  slot& s = slots_[id];
  endpoint& e = s.endpoints[dci];
  e.scheduled = false;
  if ((status_ & sts_halted) || !s.enabled || e.state != ep_running) return;
  if (e.td.empty() && !begin_td(s, dci)) return;
  if (e.index == 0 && e.offset == 0 && !e.fetched && !e.silent) {
    ++transfers_begun;
    if (kills_at(moment::any_transfer, s.root_port)) return break_down();
    const bool is_meant = !fail_transfer.port || fail_transfer.port == s.root_port;
    if (is_meant && fail_transfer.strikes()) {
      if (fail_transfer.code != 0) return halt(id, dci, fail_transfer.code);
      e.silent = true;
    }
  }
  if (!e.fetched && !fetch_current(id, dci)) return;
  if (e.state != ep_running) return;
  if (!reachable(s)) return lose_contact(id, dci);
  if (e.silent) return;
  transact(id, dci);
}

// --- transactions ---

void controller::transact(u32 id, u32 dci) {
  usb_function& device = *reachable(slots_[id]);
  endpoint& e = slots_[id].endpoints[dci];
  const trb& t = e.td[e.index].t;
  if (dci == 1) check_stage(e, t);
  switch (t.type()) {
    case trb_setup: return transact_setup(id, dci);
    case trb_status:
    case trb_data: return t.in() ? transact_in(id, dci, device) : transact_out(id, dci, device);
    case trb_no_op: return consume(id, dci, 0);
    default: return dci % 2 ? transact_in(id, dci, device) : transact_out(id, dci, device);
  }
}

// The direction of data is that of the request, and the status goes the other way (USB 2.0, 8.5.3).
void controller::check_stage(const endpoint& e, const trb& t) {
  if (t.type() == trb_data && (t.in() != e.control_in || t.length() > e.control_length))
    complain("a Data Stage TRB that is not that of the request");
  if (t.type() == trb_status && t.in() != (!e.control_in || e.control_length == 0))
    complain("a Status Stage TRB in the wrong direction");
}

void controller::transact_setup(u32 id, u32 dci) {
  endpoint& e = slots_[id].endpoints[dci];
  const fetched_trb& f = e.td[e.index];
  std::array<u8, 8> request;
  std::memcpy(request.data(), &f.t.parameter, sizeof(request));
  const u32 length = request[6] | static_cast<u32>(request[7]) << 8;
  e.control_length = length;
  e.control_in = request[0] & 0x80;
  const u32 kind = f.t.control >> 16 & 3, expected = !length ? 0 : request[0] & 0x80 ? 3 : 2;
  if (!f.t.immediate() || f.t.length() != 8 || f.t.chain()) complain("a bad Setup Stage TRB");
  if (kind != expected) complain("a Setup Stage TRB with a wrong transfer type");
  if (now() - slots_[id].addressed < 2_ms) complain("a request within 2 ms of SET_ADDRESS");
  if (request[0] == 0 && request[1] == 5) {
    complain("SET_ADDRESS on a ring");
    return halt(id, dci, trb_error, ep_error);
  }
  e.setup_address = f.address;
  step(step_kind::packet_before);
  usb_function* device = reachable(slots_[id]);
  if (!device) return lose_contact(id, dci);
  if (loses_packet(id, dci)) return;
  device->setup(request);
  step(step_kind::packet_after);
  if (!reachable(slots_[id])) return lose_contact(id, dci);
  if (loses_packet(id, dci)) return;
  e.errors = 0;
  consume(id, dci, 8);
}

void controller::transact_out(u32 id, u32 dci, usb_function& device) {
  endpoint& e = slots_[id].endpoints[dci];
  const u32 size = std::min(e.max_packet, left_of(e));
  std::vector<byte> data(size);
  u32 offset = e.offset, done = 0;
  for (size_t i = e.index; done < size; ++i, offset = 0) {
    const u32 part = std::min(e.td[i].t.length() - offset, size - done);
    const byte* from = dma_.reach(e.td[i].data, offset, part, "data OUT");
    if (!from) return halt(id, dci, data_buffer_error);
    std::memcpy(data.data() + done, from, part);
    done += part;
  }
  step(step_kind::packet_before);
  if (!reachable(slots_[id])) return lose_contact(id, dci);
  if (loses_packet(id, dci)) return;
  const bool again = e.lost_answer.has_value();
  if (dci != 1 && !again && device.toggles[dci] != e.toggle)
    complain("a data toggle is out of step");
  const handshake answer =
      again ? e.lost_answer->answer : device.out(static_cast<u8>(dci / 2), data);
  step(step_kind::packet_after);
  if (!reachable(slots_[id])) return lose_contact(id, dci);
  if (!again && answer == handshake::ack && loses_packet(id, dci)) {
    // The device has taken it. It will acknowledge the same packet again, and ignore it.
    device.toggles[dci] = !e.toggle;
    if (e.state == ep_running) e.lost_answer = {answer, {}};
    return;
  }
  e.lost_answer.reset();
  e.errors = 0;
  if (answer == handshake::stall) return halt(id, dci, stalled);
  if (answer == handshake::nak) {
    e.waiting = true;
    return;
  }
  e.toggle = !e.toggle;
  device.toggles[dci] = e.toggle;
  consume(id, dci, size);
}

void controller::transact_in(u32 id, u32 dci, usb_function& device) {
  endpoint& e = slots_[id].endpoints[dci];
  const u32 most = std::min(e.max_packet, left_of(e));
  step(step_kind::packet_before);
  if (!reachable(slots_[id])) return lose_contact(id, dci);
  if (loses_packet(id, dci)) return;
  const bool again = e.lost_answer.has_value();
  const packet got = again ? *e.lost_answer : device.in(static_cast<u8>(dci / 2), e.max_packet);
  step(step_kind::packet_after);
  if (!reachable(slots_[id])) return lose_contact(id, dci);
  if (!again && got.answer == handshake::ack && loses_packet(id, dci)) {
    if (e.state == ep_running) e.lost_answer = got;  // the device keeps it until the next token
    return;
  }
  e.lost_answer.reset();
  e.errors = 0;
  if (got.answer == handshake::stall) return halt(id, dci, stalled);
  if (got.answer == handshake::nak) {
    e.waiting = true;
    return;
  }
  if (dci != 1 && device.toggles[dci] != e.toggle) complain("a data toggle is out of step");
  e.toggle = !e.toggle;
  device.toggles[dci] = e.toggle;
  const auto size = static_cast<u32>(got.data.size());
  if (size > most) return halt(id, dci, babble);
  u32 offset = e.offset, done = 0;
  for (size_t i = e.index; done < size; ++i, offset = 0) {
    const u32 part = std::min(e.td[i].t.length() - offset, size - done);
    byte* to = dma_.reach(e.td[i].data, offset, part, "data IN");
    if (!to) return halt(id, dci, data_buffer_error);
    std::memcpy(to, got.data.data() + done, part);
    done += part;
  }
  const bool ends_early = size < e.max_packet && size < left_of(e);
  consume(id, dci, size);
  if (ends_early) end_short(id, dci);
}

// --- noise ---

// Whether the packet is lost. After the third time in a row the endpoint halts (4.10.2.3).
bool controller::loses_packet(u32 id, u32 dci) {
  endpoint& e = slots_[id].endpoints[dci];
  if (noise == 0 || !random_chance(noise)) return false;
  ++packets_lost;
  if (++e.errors < 3)
    kick(id, dci);
  else
    halt(id, dci, transaction_error);
  return true;
}

// --- after a transaction ---

// Goes on by so many bytes. A TRB that ends sends an event if it has IOC.
void controller::consume(u32 id, u32 dci, u32 bytes) {
  endpoint& e = slots_[id].endpoints[dci];
  e.offset += bytes;
  while (e.offset >= e.td[e.index].t.length()) {
    const fetched_trb ended = e.td[e.index];
    const bool last = e.index + 1 == e.td.size();
    e.offset -= ended.t.length();
    e.fetched = false;
    if (last)
      end_td(id, dci);
    else
      ++e.index;
    if (ended.t.tells_completion()) tell(id, dci, success, 0, ended.address);
    if (last) return;
  }
  kick(id, dci);
}

// The TD ends early. Hardware also sends an event for the TRB with IOC (4.10.1.1); QEMU does not.
void controller::end_short(u32 id, u32 dci) {
  endpoint& e = slots_[id].endpoints[dci];
  const fetched_trb here = e.td[e.index], last = e.td.back();
  const u32 residual = here.t.length() - e.offset;
  end_td(id, dci);
  if (here.t.tells_short()) tell(id, dci, short_packet, residual, here.address);
  const bool twice = here.address != last.address && !chosen_.like_qemu;
  if (last.t.tells_completion() && (twice || !here.t.tells_short()))
    tell(id, dci, short_packet, twice ? last.t.length() : residual, last.address);
}

void controller::end_td(u32 id, u32 dci) {
  endpoint& e = slots_[id].endpoints[dci];
  e.dequeue = e.behind;
  e.td.clear();
  e.index = e.offset = 0;
  e.fetched = false;
  kick(id, dci);
}

void controller::halt(u32 id, u32 dci, u32 why, u32 state) {
  endpoint& e = slots_[id].endpoints[dci];
  const fetched_trb f = e.td[e.index];
  e.lost_answer.reset();
  e.errors = 0;
  if (why == data_buffer_error && goes_on_after_data_errors && dci != 1) {
    end_td(id, dci);
    return tell(id, dci, why, f.t.length(), f.address);
  }
  e.state = state;
  const bool at_setup = chosen_.like_qemu && dci == 1 && why == stalled;
  const u64 address = at_setup ? e.setup_address : f.address;
  const u32 residual = f.t.length() - std::min(f.t.length(), e.offset);
  show_endpoint(slots_[id], dci);
  tell(id, dci, why, residual, address);
}

// The device does not answer any more. After three tries that is an error; or no event comes at
// all, as in QEMU, and on hardware when a SuperSpeed link has dropped.
void controller::lose_contact(u32 id, u32 dci) {
  endpoint& e = slots_[id].endpoints[dci];
  if (chosen_.like_qemu || chosen_.at_pull == in_flight_end::silence || e.losing_contact) return;
  e.losing_contact = true;
  const u32 connection = slots_[id].connection;
  time_.between(10_us, 600_us, [=, this] {
    endpoint& still = slots_[id].endpoints[dci];
    still.losing_contact = false;
    if (slots_[id].connection == connection && busy(still)) halt(id, dci, transaction_error);
  });
}

void controller::tell(u32 id, u32 dci, u32 why, u32 residual, u64 address) {
  post({address, residual | why << 24, event_transfer << 10 | dci << 16 | id << 24});
}

}  // namespace sim::hc
