// The bytes that the driver hands to the controller and takes from it (ring.h, transfer_queue.h,
// context.h, trb.h), as xHCI 1.2, chapter 6, has them.
#include <gtest/gtest.h>

#include <vector>

#include "drivers/usb/xhci/context.h"
#include "drivers/usb/xhci/transfer_queue.h"
#include "tests/drivers/usb/ring_reader.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace xhci {
namespace {

// --- TRBs ---

constexpr u32 cycle = 1, short_event = 1u << 2, chain = 1u << 4, completion_event = 1u << 5,
              inside = 1u << 6, in_direction = 1u << 16;
constexpr u32 kind(u32 type) { return type << 10; }

struct queue_bench {
  explicit queue_bench(u32 segments = 3, u32 max_packet = 1024) : memory(segments) {
    EXPECT_TRUE(allocate_segments(memory));
    queue.open(memory, max_packet);
  }
  const trb& at(u32 position) const { return queue.ring().at(position); }
  u64 address_of(u32 position) const { return memory[0].address().value() + 16 * position; }
  usb::transfer transfer(u8 address, std::span<const dma_segment> segments, bool quiet = false) {
    usb::transfer t;
    t.endpoint_address = address;
    t.segments = segments;
    t.quiet = quiet;
    return t;
  }
  std::vector<dma_buffer> memory;
  transfer_queue queue;
  const std::vector<dma_segment> two{{phys_addr{0x10000}, 1024}, {phys_addr{0x20000}, 512}};
  const std::vector<dma_segment> one{{phys_addr{0x30000}, 31}};
};

TEST(xhci_bytes, of_bulk_transfers) {
  sim::run(1, [] {
    queue_bench b;
    usb::transfer in = b.transfer(0x81, b.two), out = b.transfer(2, b.one, true);
    ASSERT_TRUE(b.queue.add(in) && b.queue.add(out));
    EXPECT_EQ(b.at(0).parameter, 0x10000u);
    EXPECT_EQ(b.at(0).status, 1024u | 1u << 17) << "one packet is left";
    EXPECT_EQ(b.at(0).control, kind(1) | cycle | chain | short_event);
    EXPECT_EQ(b.at(1).parameter, 0x20000u);
    EXPECT_EQ(b.at(1).status, 512u);
    EXPECT_EQ(b.at(1).control, kind(1) | cycle | short_event | completion_event);
    EXPECT_EQ(b.at(2).status, 31u);
    EXPECT_EQ(b.at(2).control, kind(1) | cycle) << "quiet, and OUT";
  });
}

TEST(xhci_bytes, of_control_transfers) {
  struct request {
    u8 type;
    u16 length;
    u32 transfer_type, data_control, status_control;
  };
  for (const request& r :
       std::initializer_list<request>{{0x80, 18, 3, kind(3) | in_direction | short_event, kind(4)},
                                      {0x00, 18, 2, kind(3), kind(4) | in_direction},
                                      {0x80, 0, 0, 0, kind(4) | in_direction},
                                      {0x00, 0, 0, 0, kind(4) | in_direction}})
    sim::run(1, [&] {
      queue_bench b(1);
      usb::transfer t;
      const usb::setup_packet setup{.request_type = r.type,
                                    .request = 6,
                                    .value = 0x0102,
                                    .index = 0x0304,
                                    .length = r.length};
      ASSERT_TRUE(b.queue.add_control(t, setup, phys_addr{0x4'0000}));
      EXPECT_EQ(b.at(0).parameter,
                u64{r.type} | 6u << 8 | 0x0102u << 16 | u64{0x0304} << 32 | u64{r.length} << 48);
      EXPECT_EQ(b.at(0).status, 8u);
      EXPECT_EQ(b.at(0).control, kind(2) | cycle | inside | r.transfer_type << 16);
      const u32 status = r.length ? 2 : 1;
      if (r.length) {
        EXPECT_EQ(b.at(1).parameter, 0x4'0000u);
        EXPECT_EQ(b.at(1).status, r.length);
        EXPECT_EQ(b.at(1).control, r.data_control | cycle);
      }
      EXPECT_EQ(b.at(status).control, r.status_control | cycle | completion_event);
      EXPECT_EQ(b.queue.ring().enqueue(), status + 1);
      // The whole request counts, and nothing before its status ends it.
      if (r.length) {
        EXPECT_FALSE(b.queue.on_event(b.address_of(1), completion::success, 0));
      }
      EXPECT_FALSE(t.done);
      EXPECT_TRUE(b.queue.on_event(b.address_of(status), completion::success, 0));
      EXPECT_TRUE(t.done && t.outcome);
      EXPECT_EQ(t.actual, r.length);
    });
}

TEST(xhci_bytes, of_commands) {
  EXPECT_EQ(enable_slot_command(5).control, kind(9) | 5u << 16);
  const trb address = slot_command(trb_type::address_device, 7, phys_addr{0x1240});
  EXPECT_EQ(address.parameter, 0x1240u);
  EXPECT_EQ(address.control, kind(11) | 7u << 24);
  const trb dequeue = endpoint_command(trb_type::set_tr_dequeue, 7, 3, 0x1231);
  EXPECT_EQ(dequeue.parameter, 0x1231u);
  EXPECT_EQ(dequeue.control, kind(16) | 3u << 16 | 7u << 24);
  EXPECT_EQ(link_trb(phys_addr{0x2000}, true).control, kind(6) | 2u);
  EXPECT_EQ(link_trb(phys_addr{0x2000}, false).control, kind(6));
}

TEST(xhci_bytes, of_endpoint_numbers) {
  EXPECT_EQ(dci_of(0x00), 1u);
  EXPECT_EQ(dci_of(0x80), 1u);
  EXPECT_EQ(dci_of(0x01), 2u);
  EXPECT_EQ(dci_of(0x81), 3u);
  EXPECT_EQ(dci_of(0x0F), 30u);
  EXPECT_EQ(dci_of(0x8F), 31u);
}

TEST(xhci_bytes, of_contexts_of_both_sizes) {
  sim::run(1, [] {
    for (const u32 stride : {32u, 64u}) {
      context_table table;
      ASSERT_TRUE(table.allocate(3, stride));
      EXPECT_EQ(table.address().value() % 64, 0u);
      for (u32 i = 0; i < 3; ++i)
        EXPECT_EQ(
            reinterpret_cast<uintptr_t>(table.at(i)) - reinterpret_cast<uintptr_t>(table.at(0)),
            i * stride);
      table.at(2)[7] = 5;
      table.clear();
      EXPECT_EQ(table.at(2)[7], 0u);
    }
  });
}

TEST(usb_transfers, are_cut_where_a_piece_ends) {
  EXPECT_EQ(usb::piece_at(0, 0xFFFF), 0xFFFFu);
  EXPECT_EQ(usb::piece_at(0, 0x10000), 0x10000u);
  EXPECT_EQ(usb::piece_at(0, 0x10001), 0x10000u);
  EXPECT_EQ(usb::piece_at(0x1'0001, 0x10000), 0xFFFFu);
  EXPECT_EQ(usb::count_pieces({}), 0u);
  const std::vector<dma_segment> exact{{phys_addr{0x10000}, 0x20000}},
      off{{phys_addr{0x10001}, 0x20000}};
  EXPECT_EQ(usb::count_pieces(exact), 2u);
  EXPECT_EQ(usb::count_pieces(off), 3u);
  const usb::endpoint in{.address = 0x81, .attributes = 2},
      interrupt{.address = 1, .attributes = 3};
  EXPECT_TRUE(in.is_in() && in.is_bulk());
  EXPECT_FALSE(interrupt.is_in() || interrupt.is_bulk());
  EXPECT_FALSE((usb::endpoint{.address = 1, .attributes = 1}).is_bulk());
}

TEST(usb_transfers, tell_how_many_packets_are_left) {
  EXPECT_EQ(td_size(0, 1024, 1024), 1u);
  EXPECT_EQ(td_size(0, 1025, 1024), 2u);
  EXPECT_EQ(td_size(1023, 1024, 1024), 1u);
  EXPECT_EQ(td_size(1024, 1025, 1024), 1u);
  EXPECT_EQ(td_size(0, 31 * 512, 512), 31u);
  EXPECT_EQ(td_size(0, 32 * 512, 512), 31u);
  EXPECT_EQ(td_size(512, 31 * 512, 512), 30u);
  EXPECT_EQ(td_size(513, 512, 512), 0u);
}

// --- events (6.4.5) ---

struct ending {
  completion code;
  std::optional<error> why;  // none: success
  bool halts;
};

TEST(xhci_events, end_a_transfer_as_their_code_tells) {
  for (const ending& e :
       std::initializer_list<ending>{{completion::success, {}, false},
                                     {completion::short_packet, {}, false},
                                     {completion::stall, error::epipe, true},
                                     {completion::babble, error::eio, true},
                                     {completion::transaction_error, error::eio, true},
                                     {completion::trb_error, error::eio, true},
                                     {completion::split_transaction, error::eio, true},
                                     {completion::undefined, error::eio, true},
                                     {completion::data_buffer_error, error::eio, true}})
    sim::run(1, [&] {
      queue_bench b;
      usb::transfer t = b.transfer(0x81, b.two), next = b.transfer(0x81, b.one);
      ASSERT_TRUE(b.queue.add(t) && b.queue.add(next));
      EXPECT_TRUE(b.queue.on_event(b.address_of(1), e.code, 100));
      EXPECT_TRUE(t.done && !next.done);
      EXPECT_EQ(t.outcome.has_value(), !e.why);
      if (e.why && !t.outcome) {
        EXPECT_EQ(t.outcome.error(), *e.why);
      }
      EXPECT_EQ(t.actual, 1436u);
      EXPECT_EQ(b.queue.halted(), e.halts);
      EXPECT_EQ(b.queue.resume_pointer(), b.address_of(2) | 1) << "behind it";
      b.queue.set_running();
      EXPECT_TRUE(b.queue.running() && !b.queue.halted());
      EXPECT_FALSE(b.queue.empty());
    });
}

TEST(xhci_events, that_end_nothing) {
  sim::run(1, [] {
    queue_bench b;
    usb::transfer t = b.transfer(0x81, b.two);
    EXPECT_FALSE(b.queue.on_event(b.address_of(0), completion::success, 0)) << "an empty queue";
    ASSERT_TRUE(b.queue.add(t));
    EXPECT_FALSE(b.queue.on_event(b.address_of(0), completion::success, 0)) << "its first half";
    EXPECT_FALSE(b.queue.on_event(b.address_of(0) - 16, completion::success, 0));
    EXPECT_FALSE(b.queue.on_event(b.address_of(1) + 1, completion::success, 0));
    EXPECT_FALSE(b.queue.on_event(b.address_of(2), completion::success, 0)) << "behind it";
    for (const completion code : {completion::stopped, completion::stopped_length_invalid,
                                  completion::stopped_short_packet})
      EXPECT_FALSE(b.queue.on_event(b.address_of(1), code, 0));
    EXPECT_FALSE(t.done || b.queue.halted());
    EXPECT_TRUE(b.queue.on_event(b.address_of(0), completion::short_packet, 5000));
    EXPECT_EQ(t.actual, 0u) << "no controller moves less than nothing";
  });
}

// More transfers than the table holds, one after the other, and as many as it holds at once.
TEST(xhci_events, find_their_transfer_among_all) {
  sim::run(1, [] {
    queue_bench b;
    for (u32 round = 0; round < 5; ++round) {
      std::vector<usb::transfer> all(transfer_queue::max_transfers - 1, b.transfer(2, b.one));
      const u32 first = b.queue.ring().enqueue();
      for (usb::transfer& each : all) ASSERT_TRUE(b.queue.add(each));
      for (u32 i = 0; i < all.size(); ++i) {
        EXPECT_FALSE(all[i].done);
        EXPECT_TRUE(b.queue.on_event(b.address_of(first + i), completion::success, 0));
        EXPECT_TRUE(all[i].done);
        EXPECT_EQ(all[i].actual, 31u);
      }
      EXPECT_TRUE(b.queue.empty());
    }
  });
}

TEST(xhci_events, fail_all_leaves_room_for_as_many_again) {
  sim::run(1, [] {
    queue_bench b(1);
    const std::vector<dma_segment> many(200, dma_segment{phys_addr{0x10000}, 512});
    for (u32 round = 0; round < 10; ++round) {
      usb::transfer t = b.transfer(2, many);
      ASSERT_TRUE(b.queue.add(t)) << round;
      b.queue.fail_all(error::etimedout);
      EXPECT_EQ(t.outcome.error(), error::etimedout);
      EXPECT_EQ(t.actual, 0u);
    }
  });
}

TEST(xhci_events, a_queue_takes_exactly_what_its_ring_holds) {
  u32 room = producer_ring::room_of(3);
  while (most_trbs(room) > producer_ring::room_of(3)) --room;
  EXPECT_GE(room, usb::max_transfer_pieces);
  for (const u32 pieces : {room, room + 1})
    sim::run(1, [&] {
      queue_bench b;
      const std::vector<dma_segment> many(pieces, dma_segment{phys_addr{0x10000}, 1024});
      usb::transfer t = b.transfer(2, many);
      EXPECT_EQ(b.queue.add(t).has_value(), pieces == room);
      b.queue.fail_all(error::eio);
    });
  sim::run(1, [] {
    queue_bench b(1);
    const usb::setup_packet setup{.request_type = 0x80, .length = 1};
    std::vector<usb::transfer> all(transfer_queue::max_transfers + 1);
    for (u32 i = 0; i < transfer_queue::max_transfers; ++i)
      EXPECT_TRUE(b.queue.add_control(all[i], setup, phys_addr{0x40000}));
    EXPECT_EQ(b.queue.add_control(all.back(), setup, phys_addr{0x40000}).error(), error::enomem);
    b.queue.fail_all(error::eio);
  });
  sim::run(1, [] {
    queue_bench b(1);
    const usb::setup_packet setup{.request_type = 0x80, .length = 1};
    std::array<usb::transfer, 2> all;
    const std::vector<dma_segment> most(producer_ring::room_of(1) - 4 - 2,
                                        dma_segment{phys_addr{0x10000}, 1024});
    usb::transfer large = b.transfer(2, most), control;
    ASSERT_TRUE(b.queue.add(large));
    EXPECT_TRUE(b.queue.add_control(control, setup, phys_addr{0x40000})) << "3 of 6 places";
    EXPECT_TRUE(b.queue.add_control(all[0], setup, phys_addr{0x40000})) << "the last 3";
    EXPECT_EQ(b.queue.add_control(all[1], setup, phys_addr{0x40000}).error(), error::enomem);
    b.queue.fail_all(error::eio);
  });
}

// --- rings (4.9) ---

TEST(xhci_rings, a_command_that_is_struck_out_does_nothing) {
  sim::run(1, [] {
    std::vector<dma_buffer> memory(1);
    ASSERT_TRUE(allocate_segments(memory));
    producer_ring ring;
    ring.use(memory);
    const u32 at = ring.push(slot_command(trb_type::address_device, 7, phys_addr{0x1000}));
    ring.publish();
    ring.neutralise(at, trb_type::no_op_command);
    EXPECT_EQ(ring.at(at).control, kind(23) | cycle);
    EXPECT_EQ(ring.at(at).parameter, 0u);
    ring.publish();
    EXPECT_EQ(ring.at(at).control, kind(23) | cycle) << "nothing was pushed since";
  });
}

TEST(xhci_rings, begin_again_as_new) {
  sim::run(1, [] {
    std::vector<dma_buffer> memory(2);
    ASSERT_TRUE(allocate_segments(memory));
    producer_ring ring;
    ring.use(memory);
    for (u32 i = 0; i < 700; ++i) {
      ring.push(normal_trb(phys_addr{0x1000}, 1, 0, 0));
      ring.publish();
      ring.retire(1);
    }
    ring.push(normal_trb(phys_addr{0x1000}, 1, 0, 0));  // withheld
    ring.clear();
    EXPECT_EQ(ring.enqueue(), 0u);
    EXPECT_EQ(ring.pointer_to(0), memory[0].address().value() | 1);
    EXPECT_TRUE(ring.has_room(producer_ring::room_of(2)));
    EXPECT_FALSE(ring.has_room(producer_ring::room_of(2) + 1));
    ring_reader controller(ring);
    EXPECT_TRUE(controller.read().empty());
    ring.push(normal_trb(phys_addr{0x1000}, 7, 0, 0));
    EXPECT_TRUE(controller.read().empty());
    ring.publish();
    EXPECT_EQ(controller.read(), std::vector<u32>{7});
    const trb& link = memory[0].as<trb>()[255];
    EXPECT_EQ(link.parameter, memory[1].address().value());
    EXPECT_EQ(memory[1].as<trb>()[255].parameter, memory[0].address().value());
  });
}

TEST(xhci_rings, know_only_the_addresses_of_their_own_trbs) {
  sim::run(1, [] {
    std::vector<dma_buffer> memory(2);
    ASSERT_TRUE(allocate_segments(memory));
    producer_ring ring;
    ring.use(memory);
    for (u32 i = 0; i < 2; ++i) {
      const u64 base = memory[i].address().value();
      EXPECT_EQ(ring.position_of(base), 256 * i);
      EXPECT_EQ(ring.position_of(base + 255 * 16), 256 * i + 255);
      EXPECT_FALSE(ring.position_of(base + 8));
      EXPECT_FALSE(ring.position_of(base - 16));
      EXPECT_FALSE(ring.position_of(base + 256 * 16));
    }
    EXPECT_EQ(ring.next(253), 254u);
    EXPECT_EQ(ring.next(254), 256u);
    EXPECT_EQ(ring.next(510), 0u);
    EXPECT_EQ(ring.distance(510, 1), 3u);
    EXPECT_EQ(ring.distance(5, 5), 0u);
  });
}

TEST(xhci_rings, give_events_round_after_round_in_order) {
  sim::run(1, [] {
    event_ring ring;
    EXPECT_FALSE(ring.is_allocated());
    ASSERT_TRUE(ring.allocate());
    EXPECT_TRUE(ring.is_allocated());
    const u64 base = ring.dequeue_address().value();
    const auto* entry = reinterpret_cast<const u32*>(sim::memory().at(ring.segment_table(), 16));
    EXPECT_EQ(entry[0], static_cast<u32>(base));
    EXPECT_EQ(entry[1], static_cast<u32>(base >> 32));
    EXPECT_EQ(entry[2], event_ring::size);
    EXPECT_EQ(entry[3], 0u);
    auto* events =
        reinterpret_cast<trb*>(sim::memory().at(phys_addr{base}, event_ring::size * sizeof(trb)));
    for (u32 n = 0; n < 3 * event_ring::size; ++n) {
      ASSERT_FALSE(ring.pop());
      ASSERT_EQ(ring.dequeue_address().value(), base + n % event_ring::size * 16);
      const u32 state = (n / event_ring::size) % 2 == 0;
      events[n % event_ring::size] = {n, n + 1, kind(32) | state};
      const std::optional<trb> event = ring.pop();
      ASSERT_TRUE(event);
      ASSERT_EQ(event->parameter, n);
      ASSERT_EQ(event->status, n + 1);
      ASSERT_EQ(event->control, kind(32) | state);
    }
    ring.clear();
    EXPECT_EQ(ring.dequeue_address().value(), base);
    EXPECT_FALSE(ring.pop());
    events[0] = {1, 2, kind(32) | cycle};
    EXPECT_TRUE(ring.pop());
  });
}

}  // namespace
}  // namespace xhci
