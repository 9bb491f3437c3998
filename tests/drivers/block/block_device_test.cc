// The block layer: how requests are queued, merged, sorted and ended
// (drivers/block/block_device.h).
#include "drivers/block/block_device.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "drivers/block/genhd.h"
#include "drivers/block/ramdisk.h"
#include "hal/clock.h"
#include "hal/dma.h"
#include "hal/memory.h"
#include "tests/drivers/block/manual_disk.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"

namespace {

using sim::manual_disk;
using sim::start_all;
using sim::test_block;

using extents = std::vector<std::pair<u32, u32>>;

TEST(block_device, merges_what_is_contiguous_at_either_end) {
  sim::run(1, [] {
    manual_disk disk;
    const auto blocks = start_all(disk, block_command::write, {10, 11, 9, 12, 8});
    EXPECT_EQ(disk.take_all(), (extents{{16, 10}}));
  });
}

TEST(block_device, keeps_apart_what_is_not_contiguous) {
  sim::run(1, [] {
    manual_disk disk;
    const auto blocks = start_all(disk, block_command::write, {10, 12, 14});
    EXPECT_EQ(disk.take_all(), (extents{{20, 2}, {24, 2}, {28, 2}}));
  });
}

TEST(block_device, keeps_the_buffers_in_the_order_of_their_sectors) {
  sim::run(1, [] {
    manual_disk disk;
    const auto blocks = start_all(disk, block_command::write, {5, 4, 6, 3});
    request* r = disk.next_request();
    ASSERT_TRUE(r);
    std::vector<const buffer_head*> order;
    for (const buffer_head& bh : r->buffers) order.push_back(&bh);
    EXPECT_EQ(order, (std::vector<const buffer_head*>{&blocks[3].head, &blocks[1].head,
                                                      &blocks[0].head, &blocks[2].head}));
    disk.end_request(*r, {});
  });
}

TEST(block_device, never_exceeds_max_sectors) {
  sim::run(1, [] {
    manual_disk disk;
    disk.max_sectors = 8;
    const auto blocks = start_all(disk, block_command::write, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    EXPECT_EQ(disk.take_all(), (extents{{0, 8}, {8, 8}, {16, 4}}));
  });
}

// The requests for blocks that follow each other on the device. `places` tells where each block is
// in memory, counted in blocks from a multiple of DMA_BOUNDARY on.
extents requests_for(u32 max_pieces, const std::vector<u32>& places) {
  manual_disk disk;
  disk.max_pieces = max_pieces;
  const dma_buffer memory = *dma_buffer::allocate(2 * DMA_BOUNDARY, DMA_BOUNDARY);
  std::vector<buffer_head> heads(places.size());
  for (u32 i = 0; i < places.size(); ++i) {
    heads[i].b_data = memory.bytes().data() + places[i] * BLOCK_SIZE;
    disk.submit(block_command::read, lba{i * SECTORS_PER_BLOCK}, heads[i]);
  }
  return disk.take_all();
}

TEST(block_device, never_exceeds_max_pieces) {
  sim::run(1, [] {
    EXPECT_EQ(requests_for(3, {0, 2, 4, 6, 8}), (extents{{0, 6}, {6, 4}}));
    EXPECT_EQ(requests_for(3, {0, 2, 3, 4, 6, 8, 9, 11}), (extents{{0, 10}, {10, 6}}));
    EXPECT_EQ(requests_for(1, {0, 1, 2, 3}), (extents{{0, 8}}));
    EXPECT_EQ(requests_for(1, {3, 2, 1, 0}), (extents{{0, 2}, {2, 2}, {4, 2}, {6, 2}}));
  });
}

TEST(block_device, counts_a_piece_that_a_boundary_cuts_as_two) {
  sim::run(1, [] {
    constexpr u32 at = DMA_BOUNDARY / BLOCK_SIZE;
    EXPECT_EQ(requests_for(2, {at - 2, at - 1, at, at + 1, 0}), (extents{{0, 8}, {8, 2}}));
    EXPECT_EQ(requests_for(1, {at - 2, at - 1, at, at + 1}), (extents{{0, 4}, {4, 4}}));
  });
}

// A block that is put in front of a request may form one piece with the request's first piece.
TEST(block_device, counts_pieces_at_either_end) {
  sim::run(1, [] {
    manual_disk disk;
    disk.max_pieces = 2;
    const dma_buffer memory = *dma_buffer::allocate(8 * BLOCK_SIZE, DMA_BOUNDARY);
    std::array<buffer_head, 4> heads;
    const std::array<std::pair<u32, u32>, 4> blocks{{{12, 3}, {11, 2}, {10, 0}, {9, 5}}};
    for (u32 i = 0; i < heads.size(); ++i) {  // blocks: the numbers on the device and in memory
      heads[i].b_data = memory.bytes().data() + blocks[i].second * BLOCK_SIZE;
      disk.submit(block_command::read, lba{blocks[i].first * SECTORS_PER_BLOCK}, heads[i]);
    }
    EXPECT_EQ(disk.take_all(), (extents{{18, 2}, {20, 6}}));
  });
}

TEST(block_device, does_not_merge_reads_with_writes) {
  sim::run(1, [] {
    manual_disk disk;
    const auto writes = start_all(disk, block_command::write, {4});
    const auto reads = start_all(disk, block_command::read, {5});
    EXPECT_EQ(disk.take_all(), (extents{{8, 2}, {10, 2}}));
  });
}

TEST(block_device, serves_upward_and_then_from_the_lowest) {
  sim::run(1, [] {
    manual_disk disk;
    const auto first = start_all(disk, block_command::read, {50});
    EXPECT_EQ(disk.take_all(), (extents{{100, 2}}));
    const auto rest = start_all(disk, block_command::read, {10, 80, 30, 60});
    EXPECT_EQ(disk.take_all(), (extents{{120, 2}, {160, 2}, {20, 2}, {60, 2}}));
  });
}

TEST(block_device, nothing_queued_later_passes_a_flush) {
  sim::run(1, [] {
    manual_disk disk;
    const auto before = start_all(disk, block_command::write, {50});
    auto flusher = sim::spawn("flusher", [&] { EXPECT_TRUE(disk.flush()); });
    sleep_for(1_ms);
    const auto after = start_all(disk, block_command::write, {10});
    EXPECT_EQ(disk.take_all(), (extents{{100, 2}, {0, 0}, {20, 2}}));
    flusher.join();
  });
}

// The same for sectors behind the place where the device is working.
TEST(block_device, nor_from_behind_where_the_device_is_working) {
  sim::run(1, [] {
    manual_disk disk;
    const auto first = start_all(disk, block_command::write, {50});
    EXPECT_EQ(disk.take_all(), (extents{{100, 2}}));
    auto flusher = sim::spawn("flusher", [&] { EXPECT_TRUE(disk.flush()); });
    sleep_for(1_ms);
    const auto after = start_all(disk, block_command::write, {60, 10});
    EXPECT_EQ(disk.take_all(), (extents{{0, 0}, {120, 2}, {20, 2}}));
    flusher.join();
  });
}

TEST(block_device, an_end_unlocks_cleans_and_tells_once) {
  sim::run(1, [] {
    manual_disk disk;
    test_block block(1);
    block.start(disk, block_command::write, 4);
    EXPECT_TRUE(block.head.b_lock);
    EXPECT_TRUE(block.head.b_dirt) << "clean only when the write has completed";
    disk.take_all();
    EXPECT_FALSE(block.head.b_lock);
    EXPECT_FALSE(block.head.b_dirt);
    EXPECT_EQ(block.endings, 1);
  });
}

TEST(block_device, a_failed_write_stays_dirty_and_remembers_why) {
  sim::run(1, [] {
    manual_disk disk;
    test_block block(1);
    block.start(disk, block_command::write, 4);
    disk.end_request(*disk.next_request(), fail(error::eio));
    EXPECT_TRUE(block.head.b_dirt);
    EXPECT_EQ(block.head.b_error, error::eio);
    EXPECT_EQ(block.outcome.error(), error::eio);
  });
}

TEST(block_device, a_failed_read_leaves_nothing_valid) {
  sim::run(1, [] {
    manual_disk disk;
    test_block block(1);
    block.start(disk, block_command::read, 4);
    disk.end_request(*disk.next_request(), fail(error::eio));
    EXPECT_FALSE(block.head.b_uptodate);
    EXPECT_FALSE(block.head.b_error) << "only writes leave an error behind";
  });
}

TEST(block_device, a_failed_flush_is_told_to_its_caller) {
  sim::medium stick(64);
  stick.fault = [](block_command cmd, lba, u32) {
    return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
  };
  sim::run(1, [&] {
    stick.plug();
    EXPECT_EQ(stick.device().flush().error(), error::eio);
  });
}

// Neither it nor the next flush proves anything about the writes before it.
TEST(block_device, a_failed_flush_may_have_lost_the_cache) {
  sim::medium stick(64);
  bool broken = true;
  stick.fault = [&](block_command cmd, lba, u32) {
    return broken && cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
  };
  sim::run(1, [&] {
    stick.plug();
    EXPECT_FALSE(stick.device().flush());
    EXPECT_EQ(stick.device().caches_lost(), 1u);
    broken = false;
    EXPECT_TRUE(stick.device().flush());
    EXPECT_EQ(stick.device().caches_lost(), 1u);
  });
}

TEST(block_device, refuses_what_can_never_work_at_once) {
  sim::run(1, [] {
    manual_disk disk;
    EXPECT_EQ(test_block(1).read_from(disk, 1024).error(), error::eio) << "past the end";
    EXPECT_EQ(test_block(1).read_from(disk, 0x7FFFFFFF).error(), error::eio);
    disk.write_protected = true;
    EXPECT_EQ(test_block(1).write_to(disk, 1).error(), error::erofs);
    EXPECT_EQ(disk.calls, 0);
  });
}

TEST(block_device, a_device_with_an_odd_sector_too_many_has_no_half_block) {
  sim::run(1, [] {
    manual_disk disk;
    disk.identity.sectors = 9;
    EXPECT_EQ(test_block(1).read_from(disk, 4).error(), error::eio);
    disk.identity.sectors = 1;
    EXPECT_EQ(test_block(1).read_from(disk, 0).error(), error::eio);
    disk.identity.sectors = 0;
    EXPECT_EQ(test_block(1).read_from(disk, 0).error(), error::eio);
  });
}

TEST(block_device, epochs_are_never_given_twice) {
  sim::run(1, [] {
    std::set<u32> seen;
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(seen.insert(manual_disk().epoch.value()).second);
  });
}

TEST(read_blocks, reads_past_every_cache) {
  sim::medium stick(64);
  for (size_t i = 0; i < stick.bytes().size(); ++i)
    stick.bytes()[i] = static_cast<byte>(i / BLOCK_SIZE);
  sim::run(1, [&] {
    stick.plug();
    const auto to = allocate_pages(1);
    ASSERT_TRUE(read_blocks(stick.device(), lba{6}, to));
    EXPECT_EQ(to[0], byte{3});
    EXPECT_EQ(to[PAGE_SIZE - 1], byte{6});
    EXPECT_EQ(read_blocks(stick.device(), lba{62}, to).error(), error::eio);
    free_pages(to);
  });
}

// Random traffic of several fibers against a plain array.
TEST(block_device, random_traffic_ends_up_where_it_belongs) {
  sim::for_each_seed(10, [](u64 seed) {
    constexpr u32 blocks = 64;
    sim::medium stick(std::vector<byte>(size_t{blocks} * BLOCK_SIZE));
    stick.max_sectors = 8;
    std::array<u8, blocks> model{};
    sim::run(seed, [&] {
      stick.plug();
      block_device& disk = stick.device();
      sim::in_parallel(4, [&](u32 part) {  // each uses every fourth block
        for (int i = 0; i < 50; ++i) {
          const u32 number = static_cast<u32>(sim::random_below(blocks / 4)) * 4 + part;
          if (sim::random_chance(3)) {
            test_block block(0xEE);
            EXPECT_TRUE(block.read_from(disk, number));
            EXPECT_TRUE(block.holds(model[number])) << "block " << number;
            continue;
          }
          model[number] = static_cast<u8>(sim::random_below(256));
          EXPECT_TRUE(test_block(model[number]).write_to(disk, number));
          EXPECT_TRUE(!sim::random_chance(10) || disk.flush());
        }
      });
    });
    for (u32 i = 0; i < blocks; ++i)
      EXPECT_EQ(stick.content()[i * BLOCK_SIZE], byte{model[i]}) << "block " << i;
  });
}

// --- edges ---

TEST(block_device, takes_the_last_block_and_none_behind_it) {
  sim::run(1, [] {
    manual_disk disk;
    for (const u32 size : {2u, 9u, 2048u}) {
      disk.identity.sectors = size;
      const u32 blocks = size / SECTORS_PER_BLOCK;
      test_block last(1), behind(1);
      last.start(disk, block_command::read, blocks - 1);
      EXPECT_TRUE(last.head.b_lock) << size;
      EXPECT_EQ(behind.read_from(disk, blocks).error(), error::eio) << size;
      EXPECT_EQ(disk.take_all().size(), 1u);
    }
  });
}

TEST(block_device, reads_from_a_protected_disk) {
  sim::run(1, [] {
    manual_disk disk;
    disk.write_protected = true;
    test_block block(1);
    block.start(disk, block_command::read, 3);
    EXPECT_EQ(disk.take_all(), (extents{{6, 2}}));
    EXPECT_TRUE(block.head.b_uptodate);
  });
}

// The next block in the direction of travel may begin exactly where the last request has ended.
TEST(block_device, goes_on_where_the_last_request_has_ended) {
  sim::run(1, [] {
    manual_disk disk;
    const auto first = start_all(disk, block_command::read, {50});
    EXPECT_EQ(disk.take_all(), (extents{{100, 2}}));
    const auto rest = start_all(disk, block_command::read, {10, 60, 51});
    EXPECT_EQ(disk.take_all(), (extents{{102, 2}, {120, 2}, {20, 2}}));
    const auto more = start_all(disk, block_command::read, {60, 11, 5});
    EXPECT_EQ(disk.take_all(), (extents{{22, 2}, {120, 2}, {10, 2}}));
  });
}

// Two requests for the same sectors keep their order: the later content is the last written.
TEST(block_device, keeps_the_order_of_two_writes_of_a_block) {
  sim::run(1, [] {
    manual_disk disk;
    disk.max_sectors = 2;
    const auto blocks = start_all(disk, block_command::write, {7, 7, 7});
    for (const test_block& block : blocks) {
      request* r = disk.next_request();
      ASSERT_TRUE(r);
      EXPECT_EQ(r->buffers.front(), &block.head);
      disk.end_request(*r, {});
    }
  });
}

// The same when the older one is a part of a larger request that begins behind the place where the
// device is working, or when the newer one has a neighbour that will be served first.
TEST(block_device, keeps_the_order_of_two_writes_of_a_block_in_larger_requests) {
  for (const bool neighbour : {false, true})
    sim::run(1, [=] {
      manual_disk disk;
      disk.max_sectors = 4;
      const auto first = start_all(disk, block_command::read, {neighbour ? 7u : 6u});
      disk.take_all();
      std::deque<test_block> blocks = start_all(disk, block_command::write, {6, 7});
      if (neighbour) blocks.emplace_back(u8{1}).start(disk, block_command::write, 8);
      test_block& newer = blocks.emplace_back(u8{2});
      newer.start(disk, block_command::write, 7);
      bool older_is_done = false;
      while (request* r = disk.next_request()) {
        for (const buffer_head& bh : r->buffers) {
          older_is_done |= &bh == &blocks[1].head;
          EXPECT_TRUE(&bh != &newer.head || older_is_done);
        }
        disk.end_request(*r, {});
      }
    });
}

TEST(block_device, joins_no_request_in_front_of_a_flush) {
  sim::run(1, [] {
    manual_disk disk;
    const auto before = start_all(disk, block_command::write, {50});
    auto flusher = sim::spawn("flusher", [&] { EXPECT_TRUE(disk.flush()); });
    sleep_for(1_ms);
    const auto after = start_all(disk, block_command::write, {51, 49});
    EXPECT_EQ(disk.take_all(), (extents{{100, 2}, {0, 0}, {98, 2}, {102, 2}}));
    flusher.join();
  });
}

TEST(block_device, tells_the_driver_of_every_request) {
  sim::run(1, [] {
    manual_disk disk;
    const auto blocks = start_all(disk, block_command::write, {1, 2, 9});
    EXPECT_EQ(disk.calls, 2) << "a merged block is no new request";
    EXPECT_EQ(requests_in_use(), 2u);
    const auto flusher = sim::spawn("flusher", [&] { EXPECT_TRUE(disk.flush()); });
    sleep_for(1_ms);
    EXPECT_EQ(disk.calls, 3);
    EXPECT_EQ(requests_in_use(), 3u);
    disk.take_all();
    flusher.join();
    EXPECT_EQ(requests_in_use(), 0u);
    EXPECT_FALSE(disk.next_request());
  });
}

TEST(block_device, tells_what_the_driver_has_taken) {
  sim::run(1, [] {
    manual_disk disk;
    test_block block(1);
    block.head.b_sent = true;
    block.start(disk, block_command::write, 4);
    EXPECT_FALSE(block.head.b_sent);
    request* r = disk.next_request();
    EXPECT_TRUE(block.head.b_sent);
    disk.end_request(*r, fail(error::eio));
    EXPECT_TRUE(block.head.b_error);
    EXPECT_FALSE(block.write_to(disk, 9999)) << "refused before it was sent";
    EXPECT_FALSE(block.head.b_sent);
    block.start(disk, block_command::write, 4);
    disk.take_all();
    EXPECT_FALSE(block.head.b_error) << "it has been written now";
  });
}

TEST(block_device, ends_the_io_of_a_buffer_without_a_listener) {
  sim::run(1, [] {
    manual_disk disk;
    test_block block(1);
    block.head.b_end_io = nullptr;
    block.start(disk, block_command::read, 4);
    const auto reader = sim::spawn("reader", [&] { wait_on_buffer(block.head); });
    sleep_for(1_ms);
    EXPECT_FALSE(reader.ended());
    disk.take_all();
    reader.join();
    EXPECT_TRUE(block.head.b_uptodate);
  });
}

TEST(block_device, waits_for_its_references_until_the_deadline) {
  sim::run(1, [] {
    manual_disk disk;
    EXPECT_TRUE(disk.wait_unreferenced(now()));
    disk.hold();
    EXPECT_FALSE(disk.wait_unreferenced(now() + 50_ms));
    EXPECT_EQ(now().ns, (50_ms).ns);
    disk.hold();
    const auto user = sim::spawn("user", [&] {
      disk.drop();
      sleep_for(10_ms);
      disk.drop();
    });
    EXPECT_TRUE(disk.wait_unreferenced(now() + 50_ms));
    EXPECT_EQ(now().ns, (60_ms).ns) << "at once when the last one was dropped";
    user.join();
  });
}

TEST(read_blocks, reads_what_fits_and_no_more) {
  sim::medium stick(64);
  for (size_t i = 0; i < stick.bytes().size(); ++i)
    stick.bytes()[i] = static_cast<byte>(1 + i / SECTOR_SIZE);
  sim::run(1, [&] {
    stick.plug();
    const auto to = allocate_pages(1);
    EXPECT_TRUE(read_blocks(stick.device(), lba{10}, to.first(2 * BLOCK_SIZE + 1)));
    for (u32 i = 0; i < 4; ++i) EXPECT_EQ(to[i * SECTOR_SIZE], static_cast<byte>(11 + i));
    EXPECT_EQ(to[2 * BLOCK_SIZE], byte{0});
    free_pages(to);
  });
}

TEST(read_blocks, tells_a_pull_from_a_bad_block) {
  sim::run(1, [] {
    manual_disk disk;
    const auto to = allocate_pages(1);
    disk.die();
    EXPECT_EQ(read_blocks(disk, lba{}, to).error(), error::enodev);
    free_pages(to);
  });
}

TEST(ramdisk, takes_many_blocks_at_once_and_keeps_each_in_its_place) {
  sim::run(1, [] {
    const sim::kept_memory for_ever;
    const auto memory = allocate_pages(4);
    rd_init(memory);
    block_device& ram = *resolve(dev_id(MAJOR_RAM, 0))->device;
    EXPECT_EQ(ram.max_sectors, 32u);
    for (u8 n = 0; n < 16; ++n) EXPECT_TRUE(test_block(n).write_to(ram, n));
    for (u8 n = 0; n < 16; ++n) {
      test_block back(0xFF);
      EXPECT_TRUE(back.read_from(ram, n));
      EXPECT_TRUE(back.holds(n));
    }
    EXPECT_EQ(requests_in_use(), 0u);
  });
}

TEST(ramdisk, is_a_device_like_any_other) {
  sim::run(1, [] {
    const sim::kept_memory for_ever;
    const auto memory = allocate_pages(4);
    rd_init(memory);
    const auto ram = resolve(dev_id(MAJOR_RAM, 0));
    ASSERT_TRUE(ram);
    EXPECT_EQ(ram->sectors, 32u);
    EXPECT_FALSE(ram->device->removable);
    ASSERT_TRUE(test_block(9).write_to(*ram->device, 5));
    EXPECT_EQ(memory[5 * BLOCK_SIZE], byte{9});
    test_block back(0);
    ASSERT_TRUE(back.read_from(*ram->device, 5));
    EXPECT_TRUE(back.holds(9));
    EXPECT_TRUE(ram->device->flush());
    EXPECT_EQ(back.read_from(*ram->device, 16).error(), error::eio);
  });
}

}  // namespace
