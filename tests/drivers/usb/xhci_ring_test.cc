// Registers and rings of the xHCI driver, without a controller.
#include <gtest/gtest.h>

#include <vector>

#include "drivers/usb/xhci/registers.h"
#include "drivers/usb/xhci/ring.h"
#include "tests/drivers/usb/ring_reader.h"
#include "tests/sim/scheduler.h"

namespace xhci {
namespace {

// --- PORTSC ---

constexpr u32 enabled_bit = 1u << 1;
constexpr u32 all_changes = 0x00FE'0000;

TEST(xhci_port_status, never_writes_what_acts_on_a_one) {
  const port_status everything(all_ones);
  const u32 acts = enabled_bit | 1u << 4 | all_changes | 1u << 31 | 1u << 16;
  EXPECT_EQ(everything.neutral() & acts, 0u);
  EXPECT_EQ(everything.to_reset() & acts, 1u << 4);
  EXPECT_EQ(everything.to_warm_reset() & acts, 1u << 31);
  EXPECT_EQ(everything.to_power() & acts, 0u);
  EXPECT_EQ(everything.to_clear_changes() & acts, all_changes);
}

TEST(xhci_port_status, keeps_power_and_wake_bits) {
  const u32 kept = 1u << 9 | 7u << 25 | 3u << 14;
  EXPECT_EQ(port_status(kept).neutral(), kept);
  EXPECT_EQ(port_status(kept).to_clear_changes(), kept);  // clears only the bits that were read
  EXPECT_EQ(port_status(0).to_power(), 1u << 9);
}

TEST(xhci_port_status, reads_what_qemu_shows_after_a_pull) {
  const port_status pulled(0x0002'02A0);
  EXPECT_FALSE(pulled.connected());
  EXPECT_FALSE(pulled.enabled());
  EXPECT_TRUE(pulled.connect_changed());
  EXPECT_EQ(pulled.link(), link_state::rx_detect);
}

TEST(xhci_registers, counts_scratchpads_from_both_halves) {
  EXPECT_EQ(capability::scratchpads(0), 0u);
  EXPECT_EQ(capability::scratchpads(31u << 27), 31u);
  EXPECT_EQ(capability::scratchpads(1u << 21 | 2u << 27), 34u);
}

// --- rings ---

trb numbered(u32 n, u32 flags = 0) { return normal_trb(phys_addr{0x1000}, n, 0, flags); }

struct ring_of {
  explicit ring_of(u32 count) : segments(count) { EXPECT_TRUE(allocate_segments(segments)); }
  std::vector<dma_buffer> segments;
};

class xhci_ring : public testing::TestWithParam<u32> {};

TEST_P(xhci_ring, hands_over_nothing_before_it_is_published) {
  sim::run(1, [this] {
    const ring_of memory(GetParam());
    producer_ring ring;
    ring.use(memory.segments);
    ring_reader controller(ring);
    ring.push(numbered(1, trb_control::chain::mask));
    ring.push(numbered(2));
    EXPECT_TRUE(controller.read().empty());
    ring.publish();
    EXPECT_EQ(controller.read(), (std::vector<u32>{1, 2}));
  });
}

TEST_P(xhci_ring, goes_round_many_times_in_order) {
  sim::run(1, [this] {
    const ring_of memory(GetParam());
    producer_ring ring;
    ring.use(memory.segments);
    ring_reader controller(ring);
    for (u32 round = 0; round < 3000; ++round) {
      const u32 length = 1 + round % 7;
      ASSERT_TRUE(ring.has_room(length));
      std::vector<u32> pushed;
      for (u32 i = 0; i < length; ++i) {
        ring.push(numbered(round + i, i + 1 < length ? trb_control::chain::mask : 0));
        pushed.push_back(round + i);
        if (i + 1 < length) {
          ASSERT_TRUE(controller.read().empty());
        }
      }
      ring.publish();
      ASSERT_EQ(controller.read(), pushed);
      ring.retire(length);
    }
  });
}

TEST_P(xhci_ring, is_full_before_it_bites_its_tail) {
  sim::run(1, [this] {
    const ring_of memory(GetParam());
    producer_ring ring;
    ring.use(memory.segments);
    u32 pushed = 0;
    while (ring.has_room(1)) {
      ring.push(numbered(pushed++));
      ring.publish();
    }
    EXPECT_EQ(pushed, GetParam() * (producer_ring::segment_trbs - 1) - 1);
    ring_reader controller(ring);
    EXPECT_EQ(controller.read().size(), pushed);
  });
}

TEST_P(xhci_ring, finds_positions_by_address_and_never_points_at_a_link) {
  sim::run(1, [this] {
    const ring_of memory(GetParam());
    producer_ring ring;
    ring.use(memory.segments);
    for (u32 i = 0; i < 2000; ++i) {
      const u64 pointer = ring.pointer_to(ring.enqueue());
      const u32 position = ring.push(numbered(1));
      ring.publish();
      ring.retire(1);
      ASSERT_EQ(ring.position_of(pointer & ~15ull), position);
      ASSERT_EQ(pointer & 1, trb_control::cycle::get(ring.at(position).control));
      ASSERT_NE(position % producer_ring::segment_trbs, producer_ring::segment_trbs - 1);
    }
    EXPECT_FALSE(ring.position_of(0));
    EXPECT_FALSE(ring.position_of((ring.pointer_to(0) & ~15ull) + 8));
  });
}

INSTANTIATE_TEST_SUITE_P(segments, xhci_ring, testing::Values(1u, 2u, 4u));

}  // namespace
}  // namespace xhci
