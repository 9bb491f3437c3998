// The checkpoint's rules 9 to 11 (docs/checkpoint.md), each by its number, on bare blocks.
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/operation.h"
#include "fs/replug/info_files.h"
#include "fs/replug/report.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/alone/pin.h"
#include "tests/fs/checkpoint/numbered_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// --- 9: hold ends in dead

TEST(rule_9, the_set_is_discarded_once_and_the_files_are_named) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55, ino_nr{9}, "/mnt/notes.txt"));
    pull_from(stick, sda);
    sleep_for(299_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(held(), 1u);
    sleep_for(2_s);
    EXPECT_EQ(held(), 0u);
    EXPECT_NE(state_of(sda), volume_state::absent);
    EXPECT_TRUE(said("LOST"));
    EXPECT_TRUE(said("/mnt/notes.txt"));
  });
}

TEST(rule_9, a_file_is_named_though_a_flush_came_in_the_middle_of_its_operation) {
  with_stick([](medium& stick) {
    {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      checkpoint::noted_path notes{{"/mnt/notes.txt"}, 0};
      for (u32 block : {5u, 6u}) {
        op->about(ino_nr{9}, notes);
        auto buffer = getblk(sda, block_nr{block});
        ASSERT_TRUE(buffer);
        EXPECT_TRUE(buffer->overwrite(
            *op, [](std::span<byte> bytes) { std::ranges::fill(bytes, byte{1}); }));
        if (block == 5) {
          EXPECT_TRUE(flush_buffers(sda));
        }
      }
    }
    pull_from(stick, sda);
    EXPECT_EQ(held(), 1u);
    sleep_for(301_s);
    EXPECT_TRUE(said("/mnt/notes.txt"));
  });
}

TEST(rule_9, a_new_time_counts_at_once) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    sleep_for(100_s);
    EXPECT_TRUE(checkpoint::execute_command("hold 50"));
    sleep_for(1_s);
    EXPECT_TRUE(said("LOST"));
  });
}

// Return and expiry within the same moments: one of them wins, wholly.
TEST(rule_9, expiry_and_return_are_one_race) {
  for_each_seed(60, [](u64 seed) {
    with_stick(seed, {.hold = 10_s}, [](medium& stick) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
      const instant pulled_at = now();
      pull_from(stick, sda);
      const duration about_the_end{static_cast<i64>(9'990'000'000 + random_below(20'000'000))};
      sleep_for(pulled_at + about_the_end - now());
      stick.clear_log();
      stick.plug();
      sleep_for(5_s);
      EXPECT_EQ(state_of(sda), volume_state::live);
      EXPECT_EQ(held(), 0u);
      const bool lost = said("LOST");
      const bool replayed = stick.count(block_command::write) > 0;
      EXPECT_NE(lost, replayed);
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{lost ? u8{5} : u8{0x55}});
    });
  });
}

TEST(rule_9, those_who_waited_get_eio) {
  with_stick(1, {.hold = 20_s, .io_wait = 600_s}, [](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    sim::pin(sda);
    pull_from(stick, sda);
    auto writer = spawn("writer", [] { EXPECT_EQ(fill_block(sda, 6, 1).error(), error::eio); });
    auto reader = spawn("reader", [] { EXPECT_EQ(byte_of(sda, 200).error(), error::eio); });
    writer.join();
    reader.join();
    EXPECT_LT(now(), instant{} + 25_s);
    sim::unpin(sda);
  });
}

// --- 10: nothing waits for ever, and other volumes never notice

TEST(rule_10, another_volume_works_on) {
  with_stick([](medium& stick) {
    medium other(numbered_blocks * SECTORS_PER_BLOCK, "OTHER");
    plug_as(other, sdb);
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    const instant before = now();
    for (u32 i = 0; i < 100; ++i) ASSERT_TRUE(fill_block(sdb, i, 0xBB));
    EXPECT_TRUE(sys_sync());
    EXPECT_LT((now() - before).milliseconds(), 5'000);
    EXPECT_TRUE(block_is(other.durable(), 99, 0xBB));
    EXPECT_EQ(held(), 1u);
  });
}

// Even when an absent volume has nearly all of the region.
TEST(rule_10, an_absent_volume_cannot_starve_the_others_for_ever) {
  with_stick(1, {.buffers = 512, .slots = least_slots, .hold = 60_s}, [](medium& stick) {
    medium other(numbered_blocks * SECTORS_PER_BLOCK, "OTHER");
    plug_as(other, sdb);
    for (u32 i = 0; i < least_slots - OPERATION_BLOCKS; ++i) ASSERT_TRUE(fill_block(sda, i, 1));
    pull_from(stick, sda);
    u32 done = 0;
    for (u32 i = 0; i < 100; ++i) done += fill_block(sdb, i, 2).has_value();
    EXPECT_GT(done, 0u);
    sleep_for(61_s);
    EXPECT_TRUE(fill_block(sdb, 200, 2)) << "the room is back";
  });
}

// --- 11: what stays in memory is verified or dropped

// Four operations would be all that the region has room for.
TEST(rule_10, those_who_wait_for_an_absent_stick_keep_no_room) {
  medium healthy(numbered_blocks * SECTORS_PER_BLOCK, "OTHER");
  with_stick(1, {.slots = least_slots}, [&](medium& stick) {
    plug_as(healthy, sdb);
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    const u32 room = checkpoint::unreserved();
    std::vector<fiber> writers;
    for (u32 i = 0; i < 5; ++i)
      writers.push_back(spawn("writer", [i] { EXPECT_TRUE(fill_block(sda, 10 + i, 0x66)); }));
    sleep_for(1_s);
    EXPECT_EQ(checkpoint::unreserved(), room);
    EXPECT_TRUE(fill_block(sdb, 5, 0x77));
    EXPECT_TRUE(sync_dev(sdb));
    for (const fiber& each : writers) EXPECT_FALSE(each.ended());
    plug_as(stick, sda);
    for (const fiber& each : writers) each.join();
  });
}

TEST(rule_11, clean_buffers_are_read_again_after_an_absence) {
  with_stick([](medium& stick) {
    EXPECT_EQ(byte_of(sda, 9), 9);
    sim::pin(sda);  // so that the name is kept though nothing is dirty
    pull_from(stick, sda);
    stick.bytes()[9 * BLOCK_SIZE] = byte{0x99};
    plug_as(stick, sda);
    EXPECT_EQ(byte_of(sda, 9), 0x99);
    sim::unpin(sda);
  });
}

TEST(rule_11, a_buffer_in_use_must_be_as_it_was) {
  for (const bool changed : {false, true}) {
    with_stick([&](medium& stick) {
      sim::pin(sda);
      const auto buffer = bread(sda, block_nr{9});
      ASSERT_TRUE(buffer);
      pull_from(stick, sda);
      if (changed) stick.bytes()[9 * BLOCK_SIZE] = byte{0x99};
      stick.plug();
      await_state(sda, changed ? volume_state::conflict : volume_state::live);
      sim::unpin(sda);
    });
  }
}

TEST(rule_11, a_stick_pulled_clean_comes_back_by_the_same_way) {
  with_stick([](medium& stick) {
    sim::pin(sda);
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    ASSERT_TRUE(sync_dev(sda));
    pull_from(stick, sda);
    EXPECT_EQ(held(), 0u);
    sleep_for(1'000_s);
    EXPECT_EQ(state_of(sda), volume_state::absent) << "nothing is waiting, so nothing expires";
    stick.clear_log();
    plug_as(stick, sda);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(byte_of(sda, 5), 0x55);
    sim::unpin(sda);
  });
}

}  // namespace
