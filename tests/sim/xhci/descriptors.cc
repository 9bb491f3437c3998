// Transfer descriptors: what the controller fetches from a ring, and the rules for it
// (xHCI 1.2, 4.9 and 4.11).
#include <algorithm>

#include "tests/sim/xhci/controller.h"

namespace sim::hc {

namespace {

// The bits of the control word that are defined, but for the type and the cycle bit (6.4.1, 6.4.3
// and 6.4.4).
u32 defined_control(u32 type) {
  constexpr u32 evaluate_next = 2, toggle = 2, on_short = 4, no_snoop = 8, chain = 1u << 4,
                on_completion = 1u << 5, immediate = 1u << 6, block_events = 1u << 9,
                option = 1u << 9, direction = 1u << 16, transfer_type = 3u << 16,
                endpoint = 31u << 16, suspend = 1u << 23, slot = 255u << 24;
  constexpr u32 of_data = evaluate_next | on_short | no_snoop | chain | on_completion | immediate;
  switch (type) {
    case trb_normal: return of_data | block_events;
    case trb_setup: return on_completion | immediate | transfer_type;
    case trb_data: return of_data | direction;
    case trb_status: return evaluate_next | chain | on_completion | direction;
    case trb_link: return toggle | chain | on_completion;
    case cmd_enable_slot: return endpoint;
    case cmd_address_device:
    case cmd_configure_endpoint: return option | slot;
    case cmd_reset_endpoint: return option | endpoint | slot;
    case cmd_stop_endpoint: return suspend | endpoint | slot;
    case cmd_set_dequeue: return endpoint | slot;
    case cmd_disable_slot:
    case cmd_evaluate_context:
    case cmd_reset_device: return slot;
    default: return 0;
  }
}

// Of the status word; the interrupter is looked at by itself.
u32 defined_status(u32 type) {
  constexpr u32 length = 0x1'FFFF, interrupter = 0x3FFu << 22, stream = 0xFFFFu << 16;
  if (type == trb_normal || type == trb_data) return ~0u;
  if (type == trb_setup) return length | interrupter;
  if (type == trb_status || type == trb_link) return interrupter;
  return type == cmd_set_dequeue ? stream : 0;
}

bool has_parameter(u32 type) {
  return (type != trb_status && type < cmd_enable_slot) || type == cmd_address_device ||
         type == cmd_configure_endpoint || type == cmd_evaluate_context || type == cmd_set_dequeue;
}

}  // namespace

// Reserved bits are 0 (6.4).
void controller::check_reserved(const trb& t) {
  constexpr u32 type_and_cycle = 63u << 10 | 1;
  const bool known = t.type() <= cmd_reset_device || t.type() == cmd_no_op;
  if (!known) return;
  if ((t.control & ~(defined_control(t.type()) | type_and_cycle)) ||
      (t.status & ~defined_status(t.type())) || (t.parameter != 0 && !has_parameter(t.type())))
    complain("reserved bits in a TRB");
}

// The TRB at a position; Links are followed. Nothing when the TRB belongs to the driver.
std::optional<controller::fetched_trb> controller::fetch(ring_position& at, bool inside_td) {
  for (int links = 0; links < 3; ++links) {
    const trb t = dma_.read<trb>(at.at, 0, "a ring");
    if (t.cycle() != at.cycle || t.type() == 0) return std::nullopt;
    if (t.type() != trb_link) {
      fetched_trb found{t, at.at.address, {}};
      at.at.address += sizeof(trb);
      if (at.at.address % 0x1'0000 == 0) complain("a ring segment that crosses 64 KiB");
      return found;
    }
    check_reserved(t);
    if (t.chain() != inside_td)
      complain(inside_td ? "a Link inside a TD is not chained" : "a Link between TDs is chained");
    if (t.toggle()) at.cycle = !at.cycle;
    if (t.parameter % 16 != 0) complain("a Link to a place that is not aligned");
    at.at = dma_.learn(t.parameter & ~u64{15}, sizeof(trb), "a ring segment");
  }
  complain("a ring of nothing but Links");
  return std::nullopt;
}

bool controller::begin_td(slot& s, u32 dci) {
  endpoint& e = s.endpoints[dci];
  ring_position at = e.dequeue;
  for (bool chained = false;;) {
    std::optional<fetched_trb> next = fetch(at, chained);
    if (!next) {
      if (chained) complain("a TD was handed over before it was complete");
      e.td.clear();
      return false;
    }
    if (!next->t.immediate() && next->t.length() > 0)
      next->data = dma_.learn(next->t.parameter, next->t.length(), "a transfer's data");
    chained = next->t.chain();
    e.td.push_back(*next);
    if (!chained) break;
  }
  e.behind = at;
  e.index = e.offset = 0;
  e.fetched = false;
  check_td(s, dci);
  return true;
}

// Rules that hardware relies on without checking them (4.11, 6.4.1).
void controller::check_td(const slot& s, u32 dci) {
  const endpoint& e = s.endpoints[dci];
  const u32 total = left_of(e), packets = (total + e.max_packet - 1) / e.max_packet;
  u32 done = 0;
  for (size_t i = 0; i < e.td.size(); ++i) {
    const trb& t = e.td[i].t;
    done += t.length();
    const bool last = i + 1 == e.td.size();
    if (t.status >> 22 != 0) complain("a TRB for an interrupter that there is not");
    check_reserved(t);
    const u32 left = last ? 0 : std::min(31u, packets - done / e.max_packet);
    if (dci != 1 && t.type() != trb_normal) complain("a TRB that has no place on a bulk ring");
    if (dci != 1 && t.td_size() != left) complain("a TD size that is wrong");
    // In a TD, the TRBs before a Link contain whole bursts (4.11.7.1).
    const bool link_follows = !last && e.td[i + 1].address != e.td[i].address + sizeof(trb);
    if (link_follows && done % e.max_packet)
      complain("a packet reaches over a Link");
    else if (link_follows && done % e.burst)
      complain("a burst reaches over a Link");
  }
}

// Fetches the TRB under way. The driver must not have changed it since it was handed over.
bool controller::fetch_current(u32 id, u32 dci) {
  step(step_kind::trb_fetch);
  endpoint& e = slots_[id].endpoints[dci];
  if (e.td.empty() || e.state != ep_running) return false;
  e.fetched = true;
  const fetched_trb& f = e.td[e.index];
  const u64 end = (f.t.parameter & 0xFFFF) + f.t.length();
  if (!f.t.immediate() && end > 0x1'0000) {
    complain("a TRB's data cross a boundary of 64 KiB");
    halt(id, dci, trb_error, ep_error);
    return false;
  }
  return true;
}

}  // namespace sim::hc
