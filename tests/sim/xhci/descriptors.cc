// Transfer descriptors: what the controller fetches from a ring, and the rules for it
// (xHCI 1.2, 4.9 and 4.11).
#include <algorithm>

#include "tests/sim/xhci/controller.h"

namespace sim::hc {

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
    if (t.type() == trb_normal && t.control >> 16 != 0) complain("reserved bits in a TRB");
    const u32 left = last ? 0 : std::min(31u, packets - done / e.max_packet);
    if (dci != 1 && t.type() != trb_normal) complain("a TRB that has no place on a bulk ring");
    if (dci != 1 && t.td_size() != left) complain("a TD size that is wrong");
    // In a TD, the TRBs before a Link contain whole packets (4.11.7.1).
    const bool link_follows = !last && e.td[i + 1].address != e.td[i].address + sizeof(trb);
    if (link_follows && done % e.max_packet) complain("a packet reaches over a Link");
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
