// The checkpoint's rules 5 to 8 (docs/checkpoint.md), each by its number, on bare blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "fs/replug/info_files.h"
#include "fs/replug/report.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// --- 5: the content decides

TEST(rule_5, whatever_the_cache_lost_is_no_conflict) {
  for_each_seed(40, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      // Several versions of each block are written, some flushed, before the pull.
      for (u8 round = 1; round <= 6; ++round) {
        for (u32 block : {3u, 4u, 8u})
          EXPECT_TRUE(random_chance(2) || fill_block(sda, block, static_cast<u8>(16 * round)));
        EXPECT_TRUE(random_chance(2) || write_buffers(sda));
        EXPECT_TRUE(!random_chance(4) || sync_dev(sda));
      }
      ASSERT_TRUE(fill_block(sda, 3, 0xEE));
      pull_from(stick, sda, {.loss = cache_loss::some});
      plug_as(stick, sda);
      EXPECT_TRUE(block_is(stick.durable(), 3, 0xEE));
    });
  });
}

// One flipped byte in any sector of the set whose content was known.
TEST(rule_5, one_foreign_byte_in_the_set_is_a_conflict) {
  for (u32 sector : {10u, 11u}) {
    with_stick([&](medium& stick) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, BLOCK_SIZE, 0x55));
      pull_from(stick, sda);
      stick.bytes()[sector * SECTOR_SIZE + 77] ^= byte{1};
      stick.clear_log();
      stick.plug();
      await_state(sda, volume_state::conflict);
      sleep_for(10_s);
      EXPECT_EQ(stick.count(block_command::write), 0u);
    });
  }
}

TEST(rule_5, a_freshly_allocated_block_proves_nothing_by_itself) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));  // never read
    pull_from(stick, sda);
    stick.bytes()[5 * BLOCK_SIZE] ^= byte{1};
    plug_as(stick, sda);
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
  });
}

TEST(rule_5, the_port_and_the_other_sticks_do_not_matter) {
  with_stick([](medium& stick) {
    medium other(numbered_blocks * SECTORS_PER_BLOCK, "OTHER");
    ASSERT_TRUE(change_bytes(sda, 5, 0, 100, 0x55));
    pull_from(stick, sda);
    plug_as(other, sdb);
    plug_as(stick, sda);
    EXPECT_EQ(stick.bytes()[5 * BLOCK_SIZE], byte{0x55});
    EXPECT_EQ(other.count(block_command::write), 0u);
  });
}

TEST(rule_5, another_capacity_or_serial_is_another_stick) {
  with_stick([](medium& stick) {
    medium bigger((numbered_blocks + 1) * SECTORS_PER_BLOCK);
    medium twin({stick.durable().begin(), stick.durable().end()}, "TWIN");
    ASSERT_TRUE(change_bytes(sda, 5, 0, 100, 0x55));
    pull_from(stick, sda);
    plug_as(bigger, sdb);
    plug_as(twin, dev_id(8, 32));
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(bigger.count(block_command::write) + twin.count(block_command::write), 0u);
  });
}

// A write that failed midway may have left anything in its sectors. What the medium holds is known
// again as soon as a flush has proved a later write of the block.
TEST(rule_5, a_tear_is_over_when_a_later_write_is_durable) {
  for (const bool foreign : {false, true}) {
    with_stick([&](medium& stick) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
      stick.fault = [](block_command cmd, lba, u32) {
        return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
      };
      EXPECT_FALSE(write_buffers(sda));
      stick.fault = {};
      ASSERT_TRUE(write_buffers(sda));
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x66));
      ASSERT_TRUE(checkpoint::barrier(sda));
      ASSERT_TRUE(write_buffers(sda));
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x77));
      pull_from(stick, sda, {.loss = cache_loss::some});
      if (foreign) stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
      stick.plug();
      await_state(sda, foreign ? volume_state::conflict : volume_state::live);
      EXPECT_EQ(held(), foreign ? 1u : 0u);
    });
  }
}

// A flush that proves only what was written before the tear tells nothing of the block.
TEST(rule_5, an_older_write_does_not_mend_a_tear) {
  for_each_seed(10, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
      ASSERT_TRUE(write_buffers(sda));
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x66));
      stick.fault = [](block_command cmd, lba, u32) {
        return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
      };
      EXPECT_FALSE(write_buffers(sda));
      stick.fault = {};
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x77));
      ASSERT_TRUE(checkpoint::barrier(sda));
      pull_from(stick, sda, {.loss = cache_loss::none});
      plug_as(stick, sda);
      EXPECT_EQ(held(), 0u);
    });
  });
}

// Until a flush anything is accepted, however often the block is written.
TEST(rule_5, a_tear_lasts_until_a_flush) {
  for_each_seed(10, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
      stick.fault = [](block_command cmd, lba, u32) {
        return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
      };
      EXPECT_FALSE(write_buffers(sda));
      stick.fault = {};
      for (u8 value = 100; value < 100 + 2 * checkpoint::NR_VERSIONS; ++value) {
        ASSERT_TRUE(write_buffers(sda));
        ASSERT_TRUE(change_bytes(sda, 5, 0, 600, value));
      }
      EXPECT_EQ(stick.count(block_command::flush), 0u) << "nothing is known, so nothing is missed";
      pull_from(stick, sda, {.loss = cache_loss::some});
      stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
      plug_as(stick, sda);
      EXPECT_EQ(held(), 0u);
    });
  });
}

// --- 6: no write before verification

TEST(rule_6, every_sector_is_read_before_the_first_write) {
  with_stick([](medium& stick) {
    for (u32 block : {5u, 6u, 100u, 300u}) ASSERT_TRUE(change_bytes(sda, block, 0, 10, 1));
    pull_from(stick, sda);
    stick.clear_log();
    plug_as(stick, sda);
    const auto& log = stick.log();
    const auto first_write = std::ranges::find(log, block_command::write, &command_record::cmd);
    ASSERT_NE(first_write, log.end());
    for (u32 block : {5u, 6u, 100u, 300u})
      EXPECT_TRUE(std::any_of(log.begin(), first_write, [&](const command_record& c) {
        const u32 sector = block * SECTORS_PER_BLOCK;
        return c.first.value() <= sector && c.first.value() + c.sectors >= sector + 2;
      })) << block;
  });
}

TEST(rule_6, a_stick_that_cannot_be_read_is_not_written) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 1));
    pull_from(stick, sda);
    stick.clear_log();
    stick.fault = [](block_command, lba first, u32) {
      return first.value() >= 10 ? std::optional(error::eio) : std::nullopt;
    };
    stick.plug();
    sleep_for(10_s);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(held(), 1u);
    stick.fault = {};
    stick.pull();
    sleep_for(1_s);
    plug_as(stick, sda);
    EXPECT_EQ(held(), 0u);
  });
}

// --- 7: replay

TEST(rule_7, a_pull_during_replay_is_only_another_pull) {
  for (u64 step = 1; step <= 12; ++step) {
    with_stick(step, {}, [&](medium& stick) {
      for (u32 block : {5u, 6u, 100u}) ASSERT_TRUE(change_bytes(sda, block, 0, 10, 1));
      pull_from(stick, sda);
      stick.pull_at(stick.steps() + step, {});
      stick.plug();
      sleep_for(1_s);
      if (!stick.plugged()) {
        EXPECT_EQ(held(), 3u) << "all are still needed";
        plug_as(stick, sda);
      }
      EXPECT_EQ(held(), 0u);
      for (u32 block : {5u, 6u, 100u}) EXPECT_EQ(stick.durable()[block * BLOCK_SIZE + 9], byte{1});
    });
  }
}

TEST(rule_7, a_stick_that_refuses_our_blocks_leaves_them_held) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 1));
    pull_from(stick, sda);
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    stick.plug();
    sleep_for(5_s);
    EXPECT_EQ(held(), 1u);
    EXPECT_NE(state_of(sda), volume_state::live);
    stick.fault = {};
    stick.pull();
    sleep_for(1_s);
    plug_as(stick, sda);
    EXPECT_EQ(held(), 0u);
  });
}

// --- 8: conflict

void make_conflict(medium& stick) {
  ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
  pull_from(stick, sda);
  stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
  stick.clear_log();
  stick.plug();
  await_state(sda, volume_state::conflict);
}

TEST(rule_8, a_conflict_writes_nothing_and_the_user_decides_to_force) {
  with_stick([](medium& stick) {
    make_conflict(stick);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_TRUE(said("changed elsewhere"));
    EXPECT_TRUE(checkpoint::execute_command("force sda"));
    await_state(sda, volume_state::live);
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
    EXPECT_EQ(held(), 0u);
  });
}

TEST(rule_8, or_to_drop_and_the_stick_becomes_one_of_its_own) {
  with_stick([](medium& stick) {
    make_conflict(stick);
    EXPECT_TRUE(checkpoint::execute_command("drop sda"));
    sleep_for(1_s);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(state_of(sda), volume_state::live) << "it arrived as a new stick";
    EXPECT_EQ(byte_of(sda, 5), 5);
  });
}

TEST(rule_8, or_to_keep_what_the_stick_has) {
  with_stick([](medium& stick) {
    EXPECT_EQ(checkpoint::execute_command("keep sda"), fail(error::ebusy)) << "it is there";
    make_conflict(stick);
    EXPECT_TRUE(checkpoint::execute_command("keep sda"));
    sleep_for(1_s);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(state_of(sda), volume_state::live) << "it arrived as a new stick";
    EXPECT_EQ(byte_of(sda, 5), 5);
    ASSERT_TRUE(change_bytes(sda, 6, 0, 10, 0x66));
    pull_from(stick, sda);
    EXPECT_EQ(checkpoint::execute_command("keep sda"), fail(error::enomedium)) << "no conflict";
    EXPECT_EQ(held(), 1u);
  });
}

TEST(rule_8, the_right_stick_ends_the_conflict) {
  with_stick([](medium& stick) {
    make_conflict(stick);
    stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    plug_as(stick, sda);
    EXPECT_EQ(held(), 0u);
  });
}

}  // namespace
