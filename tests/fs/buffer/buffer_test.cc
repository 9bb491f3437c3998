// The buffer cache (fs/buffer/buffer.h): sharing, recycling, the forced write, read-ahead.
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "drivers/block/genhd.h"
#include "drivers/block/ramdisk.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/operation.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "hal/memory.h"
#include "tests/fs/buffer/buffers.h"
#include "tests/sim/memory.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

constexpr dev_id ram(1, 0);

INSTANTIATE_TEST_SUITE_P(policies, buffers, ::testing::Values("ours", "0.11"),
                         [](const auto& test) {
                           return test.param == std::string_view("0.11") ? "ring_of_0_11" : "ours";
                         });

TEST_P(buffers, bread_reads_the_block) {
  with_stick(1, [](medium&) {
    EXPECT_EQ(byte_of(sda, 7), 7);
    EXPECT_EQ(byte_of(sda, 255), 255);
  });
}

TEST_P(buffers, everybody_shares_the_one_head_of_a_block) {
  with_stick(1, [](medium& stick) {
    const auto first = bread(sda, block_nr{7});
    const auto second = bread(sda, block_nr{7});
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->head(), second->head());
    EXPECT_EQ(first->head()->b_count, 2u);
    EXPECT_EQ(stick.log().back().sectors, SECTORS_PER_BLOCK);
  });
}

TEST_P(buffers, a_block_is_read_once_though_many_want_it_at_once) {
  for_each_seed(20, [](u64 seed) {
    with_stick(seed, [](medium& stick) {
      stick.clear_log();
      in_parallel(8, [](u32) { EXPECT_EQ(byte_of(sda, 9), 9); });
      EXPECT_EQ(stick.log().size(), 1u);
    });
  });
}

TEST_P(buffers, a_block_past_the_end_or_of_no_disk_is_enxio) {
  with_stick(1, [](medium&) {
    EXPECT_EQ(bread(sda, block_nr{blocks}).error(), error::enxio);
    EXPECT_EQ(bread(sda, block_nr{0xFFFFFFFF}).error(), error::enxio);
    EXPECT_EQ(bread(sdb, block_nr{0}).error(), error::enxio);
    EXPECT_EQ(bread(dev_id(8, 1), block_nr{0}).error(), error::enxio);
    EXPECT_EQ(bread(dev_id(77, 1), block_nr{0}).error(), error::enxio);
  });
}

TEST_P(buffers, a_read_error_is_eio_and_is_tried_anew) {
  with_stick(1, [](medium& stick) {
    bool broken = true;
    stick.fault = [&](block_command, lba, u32) {
      return broken ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_EQ(bread(sda, block_nr{5}).error(), error::eio);
    broken = false;
    EXPECT_EQ(byte_of(sda, 5), 5);
  });
}

TEST_P(buffers, a_change_is_dirty_until_it_has_been_written) {
  with_stick(1, [](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 3, 100, 10, 0xAB));
    EXPECT_EQ(count_buffers().dirty, 1u);
    EXPECT_EQ(byte_of(sda, 3, 105), 0xAB);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    ASSERT_TRUE(sync_dev(sda));
    EXPECT_EQ(count_buffers().dirty, 0u);
    EXPECT_EQ(stick.bytes()[3 * BLOCK_SIZE + 105], byte{0xAB}) << "durable, not only written";
    EXPECT_EQ(stick.bytes()[3 * BLOCK_SIZE], byte{3}) << "the rest of the block is as it was";
  });
}

// A task that holds a buffer may change it only when the write of the buffer is over: it waits.
TEST_P(buffers, a_buffer_on_its_way_to_the_stick_is_not_changed) {
  with_stick(1, [](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 7, 0, 10, 1));
    auto buffer = bread(sda, block_nr{7});
    ASSERT_TRUE(buffer);
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    stick.least_latency = stick.most_latency = 500_ms;
    auto writer = spawn("writer", [] { EXPECT_TRUE(write_buffers(sda)); });
    sleep_for(100_ms);
    ASSERT_TRUE(buffer->head()->b_lock);
    EXPECT_TRUE(buffer->modify(*op, 0, 1, [&](std::span<byte> bytes) {
      EXPECT_FALSE(buffer->head()->b_lock);
      bytes[0] = byte{2};
    }));
    writer.join();
  });
}

TEST_P(buffers, contiguous_dirty_blocks_go_out_in_one_command) {
  with_stick(1, [](medium& stick) {
    for (u32 i : {10u, 11u, 12u, 13u, 14u}) ASSERT_TRUE(fill_block(sda, i, 1));
    stick.clear_log();
    ASSERT_TRUE(sync_dev(sda));
    ASSERT_EQ(stick.count(block_command::write), 1u);
    EXPECT_EQ(stick.log()[0].first, lba{20});
    EXPECT_EQ(stick.log()[0].sectors, 10u);
  });
}

// The book's ring writes in the order of the ring, so neighbours do not go out together.
// They are dirty blocks of its disk.
TEST_P(buffers, blocks_of_a_partition_are_written_with_their_disk) {
  constexpr dev_id sda1(MAJOR_DISK, 1);
  constexpr u32 first = 32;  // block of the partition
  medium stick(2048);
  stick.bytes()[446 + 4] = byte{0x83};
  stick.bytes()[446 + 8] = byte{first * SECTORS_PER_BLOCK};
  stick.bytes()[446 + 12] = byte{128};
  stick.bytes()[510] = byte{0x55};
  stick.bytes()[511] = byte{0xAA};
  run(1, [&] {
    boot({.policy = GetParam()});
    plug_as(stick, sda);
    ASSERT_TRUE(fill_block(sda1, 5, 0x55));
    EXPECT_TRUE(sys_sync());
    EXPECT_EQ(count_buffers().dirty, 0u);
    EXPECT_TRUE(block_is(stick.durable(), first + 5, 0x55));
  });
}

TEST_P(buffers, neighbours_go_out_together_however_they_were_dirtied) {
  if (std::string_view(GetParam()) == "0.11") return;
  with_stick(1, [](medium& stick) {
    for (u32 i = 0; i < 40; ++i) ASSERT_TRUE(fill_block(sda, 10 + i * 27 % 40, 1));
    stick.clear_log();
    ASSERT_TRUE(sync_dev(sda));
    EXPECT_EQ(stick.count(block_command::write), 1u);
  });
}

TEST_P(buffers, two_walks_at_once_pass_every_dirty_block) {
  with_stick(1, [](medium&) {
    for (u32 i = 0; i < 5; ++i) ASSERT_TRUE(fill_block(sda, 50 - i, 1));
    std::set<const buffer_head*> passed;
    dirty_walk one(sda), other(sda);
    for (int i = 0; i < 2; ++i) passed.insert(the_policy().next_dirty(one));
    passed.insert(the_policy().next_dirty(other));
    while (const buffer_head* bh = the_policy().next_dirty(one)) passed.insert(bh);
    EXPECT_EQ(passed.size(), 5u);
  });
}

TEST_P(buffers, a_look_takes_what_is_there_and_waits_for_nothing) {
  with_stick(1, [](medium& stick) {
    stick.clear_log();
    EXPECT_EQ(peek_block(sda, block_nr{30}), nullptr);
    EXPECT_TRUE(start_read(sda, block_nr{30}));
    EXPECT_EQ(peek_block(sda, block_nr{30}), nullptr) << "on its way";
    EXPECT_EQ(byte_of(sda, 30), 30);
    const byte* const seen = peek_block(sda, block_nr{30});
    ASSERT_NE(seen, nullptr);
    EXPECT_EQ(*seen, byte{30});
    EXPECT_EQ(count_buffers().in_use, 0u);
    EXPECT_EQ(stick.log().size(), 1u);
  });
}

TEST_P(buffers, an_overwritten_block_is_never_read) {
  with_stick(1, [](medium& stick) {
    stick.clear_log();
    ASSERT_TRUE(fill_block(sda, 30, 0x77));
    EXPECT_EQ(byte_of(sda, 30, 1000), 0x77);
    EXPECT_TRUE(stick.log().empty());
  });
}

TEST_P(buffers, read_ahead_really_reads) {
  with_stick(1, [](medium& stick) {
    stick.clear_log();
    const std::array ahead = {block_nr{41}, block_nr{42}, block_nr{43}};
    {
      const auto buffer = bread_ahead(sda, block_nr{40}, ahead);
      ASSERT_TRUE(buffer);
      EXPECT_EQ(buffer->data()[0], byte{40});
    }
    sleep_for(1_s);
    u32 sectors_read = 0;
    for (const auto& command : stick.log()) sectors_read += command.sectors;
    EXPECT_EQ(sectors_read, 4 * SECTORS_PER_BLOCK);
    stick.clear_log();
    for (u32 i : {41u, 42u, 43u}) EXPECT_EQ(byte_of(sda, i), i);
    EXPECT_TRUE(stick.log().empty()) << "they were in the cache";
  });
}

TEST_P(buffers, read_ahead_past_the_end_is_left_out) {
  with_stick(1, [](medium&) {
    const std::array ahead = {block_nr{blocks}, block_nr{0xFFFFFFFF}};
    EXPECT_TRUE(bread_ahead(sda, block_nr{blocks - 1}, ahead));
    sleep_for(1_s);
    EXPECT_EQ(count_buffers().in_use, 0u);
  });
}

TEST_P(buffers, read_ahead_never_writes) {
  with_stick(1,
             [](medium& stick) {
               for (u32 i = 0; i + 1 < tiny_cache; ++i) ASSERT_TRUE(fill_block(sda, 100 + i, 1));
               const block_nr ahead[] = {block_nr{8}, block_nr{9}};
               ASSERT_TRUE(bread_ahead(sda, block_nr{7}, ahead));
               EXPECT_EQ(stick.count(block_command::write), 0u);
             },
             {.buffers = tiny_cache});
}

// Our policy gives away the buffer that was unused the longest; the book's ring the one that was
// claimed first, however often it is used.
TEST_P(buffers, the_cache_recycles_the_oldest) {
  const bool ring = policy_under_test == std::string_view("0.11");
  const u8 oldest = ring ? 0 : 1, kept = ring ? 1 : 0;
  with_stick(1,
             [&](medium& stick) {
               for (u32 i = 0; i < tiny_cache; ++i) EXPECT_EQ(byte_of(sda, i), static_cast<u8>(i));
               EXPECT_NE(peek_block(sda, block_nr{0}), nullptr);  // used again
               EXPECT_EQ(byte_of(sda, 500), static_cast<u8>(500));
               stick.clear_log();
               EXPECT_EQ(byte_of(sda, kept), kept);
               EXPECT_EQ(byte_of(sda, 2), 2);
               EXPECT_TRUE(stick.log().empty());
               EXPECT_EQ(byte_of(sda, oldest), oldest);
               EXPECT_EQ(stick.log().size(), 1u);
             },
             {.buffers = tiny_cache});
}

// Read-ahead must also read a block whose head is still in the cache from an earlier mount.
TEST_P(buffers, read_ahead_reads_what_was_invalidated) {
  with_stick(1, [](medium& stick) {
    const std::array ahead{block_nr{21}, block_nr{22}, block_nr{23}};
    for (u32 i : {20u, 21u, 22u, 23u}) EXPECT_EQ(byte_of(sda, i), i);
    discard_buffers(sda);
    stick.clear_log();
    EXPECT_TRUE(bread_ahead(sda, block_nr{20}, ahead));
    for (u32 i : {21u, 22u, 23u}) EXPECT_EQ(byte_of(sda, i), i);
    EXPECT_EQ(stick.log().size(), 1u);
  });
}

// Way 2 of the book: no buffer is clean, so getblk writes a device itself.
TEST_P(buffers, a_cache_full_of_dirty_blocks_is_written_by_force) {
  with_stick(1,
             [](medium& stick) {
               for (u32 i = 0; i < 3 * tiny_cache; ++i) ASSERT_TRUE(fill_block(sda, i, 0x5A));
               EXPECT_GT(stick.count(block_command::write), 0u);
               for (u32 i = 0; i < 3 * tiny_cache; ++i) ASSERT_EQ(byte_of(sda, i, 9), 0x5A);
             },
             {.buffers = tiny_cache});
}

// Several tasks wait for a buffer to become clean, and then want the same block.
TEST_P(buffers, a_block_that_many_waited_for_has_one_head) {
  for_each_seed(10, [](u64 seed) {
    with_stick(seed,
               [](medium&) {
                 for (u32 i = 0; i < tiny_cache; ++i) ASSERT_TRUE(fill_block(sda, 100 + i, 1));
                 buffer_head* heads[4] = {};
                 in_parallel(4, [&](u32 i) {
                   const auto buffer = getblk(sda, block_nr{7});
                   ASSERT_TRUE(buffer);
                   heads[i] = buffer->head();
                   sleep_for(100_ms);
                 });
                 for (const buffer_head* head : heads) EXPECT_EQ(head, heads[0]);
               },
               {.buffers = tiny_cache});
  });
}

// Keeps every buffer of a tiny cache.
std::vector<buffer_ref> all_buffers() {
  std::vector<buffer_ref> held;
  for (u32 i = 0; i < tiny_cache; ++i) {
    auto buffer = bread(sda, block_nr{i});
    EXPECT_TRUE(buffer);
    held.push_back(std::move(*buffer));
  }
  return held;
}

// It is no free buffer, but its waiter makes one of it.
TEST_P(buffers, a_dirty_one_that_is_released_ends_a_wait_for_room) {
  with_stick(1,
             [](medium& stick) {
               std::optional<operation> op(std::move(*operation::begin(sda)));
               std::vector<buffer_ref> held = all_buffers();
               const auto waiting =
                   spawn("waiting", [] { EXPECT_TRUE(getblk(sda, block_nr{1000})); });
               sleep_for(1_s);
               EXPECT_FALSE(waiting.ended());
               EXPECT_TRUE(held.back().modify(
                   *op, 0, 1, [](std::span<byte> bytes) { bytes[0] = byte{0x77}; }));
               op.reset();
               held.pop_back();
               const instant released = now();
               waiting.join();
               EXPECT_LT((now() - released).milliseconds(), 1'000);
               EXPECT_EQ(stick.count(block_command::write), 1u);
             },
             {.buffers = tiny_cache});
}

TEST_P(buffers, with_every_buffer_in_use_getblk_gives_up_in_time) {
  with_stick(1,
             [](medium&) {
               std::vector<buffer_ref> held = all_buffers();
               EXPECT_EQ(getblk(sda, block_nr{1000}).error(), error::eio);
               auto waiting = spawn("waiting", [] { EXPECT_TRUE(getblk(sda, block_nr{1000})); });
               sleep_for(1_s);
               held.pop_back();
               waiting.join();
               auto interrupted = spawn("interrupted", [] {
                 const buffer_ref first = std::move(*getblk(sda, block_nr{1000}));
                 EXPECT_EQ(getblk(sda, block_nr{1001}).error(), error::eintr);
               });
               sleep_for(1_s);
               interrupted.signal();
               interrupted.join();
             },
             {.buffers = tiny_cache});
}

TEST_P(buffers, a_freed_block_is_not_written) {
  with_stick(1, [](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 4, 0x44));
    forget_block(sda, block_nr{4});
    ASSERT_TRUE(sync_dev(sda));
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(byte_of(sda, 4), 4);
  });
}

TEST_P(buffers, invalidated_buffers_are_read_again) {
  with_stick(1, [](medium& stick) {
    EXPECT_EQ(byte_of(sda, 4), 4);
    discard_buffers(sda);
    stick.bytes()[4 * BLOCK_SIZE] = byte{0x99};
    EXPECT_EQ(byte_of(sda, 4), 0x99);
  });
}

TEST_P(buffers, the_ram_disk_needs_no_shadows) {
  run(1, [] {
    boot({.policy = policy_under_test});
    {
      const kept_memory for_ever;
      rd_init(allocate_pages(16));
    }
    ASSERT_TRUE(fill_block(ram, 5, 0x55));
    EXPECT_TRUE(sys_sync());
    EXPECT_EQ(count_buffers().dirty, 0u);
    EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size());
    discard_buffers(ram);
    EXPECT_EQ(byte_of(ram, 5), 0x55);
  });
}

}  // namespace
