// Transfer queues of the xHCI driver, without a controller: the TRBs of transfers, and the outcomes
// after events.
#include <gtest/gtest.h>

#include <vector>

#include "drivers/usb/xhci/transfer_queue.h"
#include "tests/drivers/usb/ring_reader.h"
#include "tests/sim/scheduler.h"

namespace xhci {
namespace {

TEST(xhci_transfer, is_cut_at_64_kib) {
  EXPECT_EQ(usb::piece_at(0x10000, 0x10000), 0x10000u);
  EXPECT_EQ(usb::piece_at(0x1FFFF, 10), 1u);
  const std::vector<dma_segment> segments{{phys_addr{0x1F000}, 0x2000}, {phys_addr{0x30000}, 1}};
  EXPECT_EQ(usb::count_pieces(segments), 3u);
  const std::vector<dma_segment> large{{phys_addr{0x8000}, 512 * 1024}};
  EXPECT_EQ(usb::count_pieces(large), 9u);
}

TEST(xhci_transfer, td_size_counts_the_packets_to_come) {
  EXPECT_EQ(td_size(1024, 4096, 1024), 3u);
  EXPECT_EQ(td_size(1500, 4096, 1024), 3u);
  EXPECT_EQ(td_size(1024, 524288, 1024), 31u);
  EXPECT_EQ(td_size(4096, 4096, 1024), 0u);
  EXPECT_EQ(td_size(512, 513, 512), 1u);
}

// A queue of an IN or OUT endpoint; the test itself sends the controller's events.
struct transfer_test {
  explicit transfer_test(u32 max_packet = 1024, u32 max_burst = 0) {
    EXPECT_TRUE(allocate_segments(memory));
    queue.open(memory, max_packet, max_burst);
  }

  usb::transfer make(std::span<const dma_segment> segments, bool quiet = false, u8 address = 0x81) {
    usb::transfer t;
    t.endpoint_address = address;
    t.segments = segments;
    t.quiet = quiet;
    return t;
  }
  u64 address_of(u32 position) const { return queue.ring().pointer_to(position) & ~15ull; }
  u32 position_of(u64 pointer) const { return *queue.ring().position_of(pointer & ~15ull); }

  std::array<dma_buffer, 3> memory;
  transfer_queue queue;
  std::vector<dma_segment> two{{phys_addr{0x10000}, 1024}, {phys_addr{0x20000}, 1024}};
  std::vector<dma_segment> one{{phys_addr{0x30000}, 13}};
};

bool is_before_link(const producer_ring& ring, u32 position) {
  return ring.next(position) != position + 1;
}

TEST(xhci_transfer_queue, ends_a_transfer_with_its_last_trb) {
  sim::run(1, [] {
    transfer_test test;
    usb::transfer t = test.make(test.two);
    ASSERT_TRUE(test.queue.add(t));
    EXPECT_FALSE(test.queue.on_event(0x1234560, completion::success, 0));
    EXPECT_TRUE(test.queue.on_event(test.address_of(1), completion::success, 0));
    EXPECT_TRUE(t.done && t.outcome);
    EXPECT_EQ(t.actual, 2048u);
    EXPECT_TRUE(test.queue.empty());
  });
}

TEST(xhci_transfer_queue, counts_a_short_transfer_once_whether_one_event_comes_or_two) {
  sim::run(1, [] {
    transfer_test test;
    usb::transfer t = test.make(test.two), next = test.make(test.one);
    ASSERT_TRUE(test.queue.add(t) && test.queue.add(next));
    EXPECT_TRUE(test.queue.on_event(test.address_of(0), completion::short_packet, 1000));
    EXPECT_TRUE(t.done && t.outcome);
    EXPECT_EQ(t.actual, 24u);
    // Hardware sends a second event, for the TRB that asked for an interrupt.
    EXPECT_FALSE(test.queue.on_event(test.address_of(1), completion::short_packet, 1024));
    EXPECT_FALSE(next.done);
    EXPECT_TRUE(test.queue.on_event(test.address_of(2), completion::success, 0));
    EXPECT_EQ(next.actual, 13u);
  });
}

// Without it, the event of the last TRB would not tell where the data have ended (xHCI 1.2,
// 4.10.1.1).
TEST(xhci_transfer_queue, asks_every_trb_of_an_in_transfer_for_an_event_at_a_short_packet) {
  sim::run(1, [] {
    for (const u8 address : {u8{0x81}, u8{2}}) {
      transfer_test test;
      usb::transfer t = test.make(test.two, false, address);
      ASSERT_TRUE(test.queue.add(t));
      for (const u32 position : {0u, 1u})
        EXPECT_EQ(trb_control::interrupt_on_short::in(test.queue.ring().at(position).control),
                  address == 0x81);
    }
  });
}

TEST(xhci_transfer_queue, a_quiet_transfer_is_over_when_a_later_one_is) {
  sim::run(1, [] {
    transfer_test test;
    usb::transfer quiet = test.make(test.two, true), loud = test.make(test.one);
    ASSERT_TRUE(test.queue.add(quiet) && test.queue.add(loud));
    EXPECT_FALSE(trb_control::interrupt_on_completion::in(test.queue.ring().at(1).control));
    EXPECT_TRUE(trb_control::interrupt_on_completion::in(test.queue.ring().at(2).control));
    EXPECT_TRUE(test.queue.on_event(test.address_of(2), completion::success, 0));
    EXPECT_TRUE(quiet.done && quiet.outcome && loud.done);
    EXPECT_EQ(quiet.actual, 2048u);
  });
}

TEST(xhci_transfer_queue, settles_quiet_ones_and_fails_the_rest) {
  sim::run(1, [] {
    transfer_test test;
    usb::transfer quiet = test.make(test.two, true, 2), after = test.make(test.one, false, 2);
    ASSERT_TRUE(test.queue.add(quiet) && test.queue.add(after));
    test.queue.settle(quiet);
    EXPECT_TRUE(quiet.done && quiet.outcome && !after.done);
    test.queue.settle(quiet);
    EXPECT_FALSE(after.done);
    test.queue.fail_all(error::enodev);
    EXPECT_TRUE(after.done);
    EXPECT_EQ(after.outcome.error(), error::enodev);
  });
}

TEST(xhci_transfer_queue, stall_halts_and_resumes_behind_the_failed_one) {
  sim::run(1, [] {
    transfer_test test;
    usb::transfer data = test.make(test.two), status = test.make(test.one);
    ASSERT_TRUE(test.queue.add(data) && test.queue.add(status));
    EXPECT_TRUE(test.queue.on_event(test.address_of(0), completion::stall, 1024));
    EXPECT_EQ(data.outcome.error(), error::epipe);
    EXPECT_EQ(data.actual, 0u);
    EXPECT_TRUE(test.queue.halted());
    EXPECT_EQ(test.queue.resume_pointer(), test.address_of(2) | 1);
  });
}

TEST(xhci_transfer_queue, a_stopped_transfer_is_ended_by_the_task_that_stopped_it) {
  sim::run(1, [] {
    transfer_test test;
    usb::transfer t = test.make(test.two);
    ASSERT_TRUE(test.queue.add(t));
    EXPECT_FALSE(test.queue.on_event(test.address_of(0), completion::stopped, 0));
    EXPECT_FALSE(t.done);
    test.queue.fail_all(error::etimedout);
    EXPECT_EQ(t.outcome.error(), error::etimedout);
  });
}

TEST(xhci_transfer_queue, control_in_counts_its_data_alone) {
  sim::run(1, [] {
    transfer_test test;
    usb::transfer t;
    const usb::setup_packet setup{.request_type = 0x80, .request = 6, .length = 255};
    ASSERT_TRUE(test.queue.add_control(t, setup, phys_addr{0x40000}));
    EXPECT_FALSE(test.queue.on_event(test.address_of(1), completion::short_packet, 237));
    EXPECT_FALSE(t.done);
    EXPECT_TRUE(test.queue.on_event(test.address_of(2), completion::success, 0));
    EXPECT_TRUE(t.done && t.outcome);
    EXPECT_EQ(t.actual, 18u);
    // QEMU reports a STALL at the Setup TRB, hardware at the Data TRB.
    for (u32 at : {3u, 7u}) {
      usb::transfer stalled;
      ASSERT_TRUE(test.queue.add_control(stalled, setup, phys_addr{0x40000}));
      EXPECT_TRUE(test.queue.on_event(test.address_of(at), completion::stall, 0));
      EXPECT_EQ(stalled.outcome.error(), error::epipe);
    }
  });
}

// Transfers of about 512 KiB in scattered segments, so often that Links come in all places of them.
TEST(xhci_transfer_queue, keeps_whole_bursts_before_a_link) {
  sim::run(1, [] {
    for (const auto& [max_packet, max_burst] : {std::pair(512u, 0u), {1024u, 0u}, {1024u, 15u}}) {
      transfer_test test(max_packet, max_burst);
      ring_reader controller(test.queue.ring());
      for (u32 round = 0; round < 40; ++round) {
        std::vector<dma_segment> segments;
        u32 total = 0;
        for (u32 i = 0; i < 300 + round; ++i) {
          const u32 length = 1 + (i * 37 + round * 11) % 3000;
          segments.push_back({phys_addr{0x10'0000 + u64{i} * 0x3333}, length});
          total += length;
        }
        usb::transfer t = test.make(segments);
        ASSERT_TRUE(test.queue.add(t));
        const u32 first = test.position_of(test.queue.resume_pointer());
        u32 sum = 0, last = first;
        std::vector<u32> pushed;
        for (u32 at = first; at != test.queue.ring().enqueue(); at = test.queue.ring().next(at)) {
          const trb& piece = test.queue.ring().at(at);
          const u32 length = trb_status::length::get(piece.status);
          ASSERT_GT(length, 0u);
          ASSERT_LE((piece.parameter & 0xFFFF) + length, 0x1'0000u);
          sum += length;
          pushed.push_back(length);
          last = at;
          const bool before_link = is_before_link(test.queue.ring(), at);
          if (before_link && sum < total) {
            ASSERT_EQ(sum % (max_packet * (max_burst + 1)), 0u) << "a burst is split by a Link";
          }
          ASSERT_EQ(trb_control::chain::in(piece.control), sum < total);
        }
        ASSERT_EQ(sum, total);
        ASSERT_EQ(controller.read(), pushed) << "these TRBs and no others";
        ASSERT_TRUE(test.queue.on_event(test.address_of(last), completion::success, 0));
        ASSERT_EQ(t.actual, total);
      }
    }
  });
}

// Scattered blocks, as the cache writes them.
TEST(xhci_transfer_queue, leaves_trbs_unused_before_a_link_inside_a_burst) {
  sim::run(1, [] {
    transfer_test test(1024, 15);
    std::vector<dma_segment> scattered;
    for (u32 i = 0; i < 512; ++i) scattered.push_back({phys_addr{0x10'0000 + 0x1000 * i}, 1024});
    usb::transfer t = test.make(scattered);
    ASSERT_TRUE(test.queue.add(t));
    const producer_ring& ring = test.queue.ring();
    EXPECT_EQ(type_of(ring.at(240)), trb_type::link) << "behind 15 bursts of 16 blocks";
    EXPECT_EQ(type_of(ring.at(256 + 240)), trb_type::link);
    EXPECT_EQ(ring.enqueue(), 2 * 256 + 32u);
    EXPECT_EQ(ring_reader(ring).read(), std::vector(512, 1024u));
  });
}

TEST(xhci_transfer_queue, begins_behind_a_link_rather_than_split_a_packet) {
  sim::run(1, [] {
    transfer_test test;
    constexpr u32 before_link = producer_ring::segment_trbs - 2;
    for (u32 i = 0; i < before_link; ++i) {
      usb::transfer step = test.make(test.one);
      ASSERT_TRUE(test.queue.add(step));
      test.queue.settle(step);
    }
    const std::vector<dma_segment> odd{{phys_addr{0x10000}, 100}, {phys_addr{0x20000}, 5000}};
    usb::transfer t = test.make(odd);
    ASSERT_TRUE(test.queue.add(t));
    EXPECT_EQ(type_of(test.queue.ring().at(before_link)), trb_type::link);
    EXPECT_EQ(test.position_of(test.queue.resume_pointer()), producer_ring::segment_trbs);
    EXPECT_TRUE(test.queue.on_event(test.address_of(test.queue.ring().enqueue() - 1),
                                    completion::success, 0));
    EXPECT_EQ(t.actual, 5100u);
  });
}

// No packet of these pieces fits before the Link. 32 TRBs may stay unused for that, and no more.
TEST(xhci_transfer_queue, leaves_no_more_than_32_trbs_unused) {
  for (const u32 room : {31u, 32u, 33u})
    sim::run(1, [=] {
      transfer_test test;
      const producer_ring& ring = test.queue.ring();
      while (ring.room_before_link() > room) {
        usb::transfer step = test.make(test.one);
        ASSERT_TRUE(test.queue.add(step));
        test.queue.settle(step);
      }
      const u32 here = ring.enqueue();
      const std::vector<dma_segment> small(300, dma_segment{phys_addr{0x10000}, 16});
      usb::transfer t = test.make(small);
      ASSERT_TRUE(test.queue.add(t));
      EXPECT_EQ(type_of(ring.at(here)), room > 32 ? trb_type::normal : trb_type::link) << room;
      test.queue.fail_all(error::etimedout);
    });
}

// Pieces of a byte each: too many TRBs would stay unused.
TEST(xhci_transfer_queue, splits_a_packet_of_very_small_pieces) {
  sim::run(1, [] {
    transfer_test test;
    const std::vector<dma_segment> bytes(400, dma_segment{phys_addr{0x10000}, 1});
    usb::transfer t = test.make(bytes);
    ASSERT_TRUE(test.queue.add(t));
    EXPECT_EQ(test.queue.ring().enqueue(), 256 + 145u);
    EXPECT_EQ(ring_reader(test.queue.ring()).read(), std::vector(400, 1u));
  });
}

// At every place of the ring where they may begin; each Link cuts a piece in two.
TEST(xhci_transfer_queue, holds_the_largest_transfer_beside_the_small_ones) {
  sim::run(1, [] {
    transfer_test test;
    const std::vector<dma_segment> largest(usb::max_transfer_pieces,
                                           dma_segment{phys_addr{0x10000}, 1500});
    for (u32 begin = 0; begin < 3 * producer_ring::segment_trbs; ++begin) {
      usb::transfer step = test.make(test.one);
      ASSERT_TRUE(test.queue.add(step));
      test.queue.settle(step);
      std::array<usb::transfer, usb::max_small_transfers> small;
      for (usb::transfer& each : small) {
        each = test.make(test.one);
        ASSERT_TRUE(test.queue.add(each));
      }
      usb::transfer large = test.make(largest);
      ASSERT_TRUE(test.queue.add(large)) << begin;
      test.queue.fail_all(error::etimedout);
    }
  });
}

TEST(xhci_transfer_queue, refuses_what_does_not_fit) {
  sim::run(1, [] {
    transfer_test test;
    std::vector<dma_segment> many(800, dma_segment{phys_addr{0x10000}, 1024});
    usb::transfer large = test.make(many);
    EXPECT_EQ(test.queue.add(large).error(), error::enomem);
    std::vector<usb::transfer> small(transfer_queue::max_transfers + 1, test.make(test.one));
    for (u32 i = 0; i < transfer_queue::max_transfers; ++i) ASSERT_TRUE(test.queue.add(small[i]));
    EXPECT_EQ(test.queue.add(small.back()).error(), error::enomem);
  });
}

}  // namespace
}  // namespace xhci
