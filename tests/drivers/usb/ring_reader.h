// Reads a ring as a controller does, as far as a test of rings needs it.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "drivers/usb/xhci/ring.h"
#include "tests/sim/memory.h"

namespace xhci {

// Follows the ring from its beginning, as long as the cycle bits give it the TRBs.
class ring_reader {
 public:
  explicit ring_reader(const producer_ring& ring) : ring_(ring), at_(ring.pointer_to(0) & ~15ull) {}
  // The lengths of the TRBs that it may read now.
  std::vector<u32> read() {
    std::vector<u32> lengths;
    for (;;) {
      const auto* t = reinterpret_cast<const trb*>(sim::memory().at(phys_addr{at_}, sizeof(trb)));
      if (trb_control::cycle::in(t->control) != cycle_) return lengths;
      if (type_of(*t) == trb_type::link) {
        EXPECT_EQ(trb_control::chain::in(t->control), in_td_) << "chain bit of a Link";
        if (trb_control::toggle_cycle::in(t->control)) cycle_ = !cycle_;
        at_ = t->parameter;
        continue;
      }
      lengths.push_back(trb_status::length::get(t->status));
      if (lengths.size() > producer_ring::max_segments * producer_ring::segment_trbs) {
        ADD_FAILURE() << "the ring never ends";
        return lengths;
      }
      in_td_ = trb_control::chain::in(t->control);
      at_ += sizeof(trb);
    }
  }

 private:
  const producer_ring& ring_;
  u64 at_;
  bool cycle_ = true;
  bool in_td_ = false;
};

}  // namespace xhci
