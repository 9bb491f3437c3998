// The checkpoint's rules 1 to 11 (DESIGN §5, docs/checkpoint.md), each by its number, on bare
// blocks of a stick without a file system.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/region.h"
#include "fs/checkpoint/report.h"
#include "fs/media.h"
#include "hal/clock.h"
#include "tests/fs/machine.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

constexpr u32 blocks = 512;
constexpr u32 least_slots = 128;

// A world with one stick, whose block n is filled with n at first, live as /dev/sda.
void with_stick(u64 seed, const boot_options& options, const std::function<void(medium&)>& body) {
  medium stick(blocks * SECTORS_PER_BLOCK);
  for (size_t i = 0; i < stick.bytes().size(); ++i)
    stick.bytes()[i] = static_cast<byte>(i / BLOCK_SIZE);
  run(seed, [&] {
    boot(options);
    plug_as(stick, sda);
    if (::testing::Test::HasFatalFailure()) return;
    body(stick);
    check_buffer_invariants();
  });
}
void with_stick(const std::function<void(medium&)>& body) { with_stick(1, {}, body); }

u32 held() { return checkpoint::volume_of(sda) ? checkpoint::volume_of(sda)->set.size() : 0; }

void bring_back(medium& stick) { plug_as(stick, sda); }

// --- 1: a slot is reserved before a block is dirtied; a full region makes the writer wait for a
// flush

TEST(rule_1, an_operation_reserves_its_room_and_gives_back_the_rest) {
  with_stick([](medium&) {
    const u32 before = checkpoint::unreserved();
    {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS);
      auto inner = operation::begin(sda);
      ASSERT_TRUE(inner);
      EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS) << "it shares the room";
    }
    EXPECT_EQ(checkpoint::unreserved(), before);
    ASSERT_TRUE(fill_block(sda, 3, 1));
    EXPECT_EQ(checkpoint::unreserved(), before - 1) << "one block is held now";
  });
}

TEST(rule_1, a_full_region_makes_the_writer_flush_the_volume) {
  with_stick(1, {.buffers = 512, .slots = least_slots}, [](medium& stick) {
    for (u32 i = 0; i < 2 * least_slots; ++i) ASSERT_TRUE(fill_block(sda, i, 0x5A)) << i;
    EXPECT_GT(stick.count(block_command::flush), 0u);
    EXPECT_LE(held(), least_slots);
  });
}

TEST(rule_1, many_operations_at_once_never_overdraw_the_region) {
  for_each_seed(10, [](u64 seed) {
    with_stick(seed, {.buffers = 512, .slots = least_slots}, [](medium&) {
      in_parallel(12, [](u32 part) {
        for (u32 i = 0; i < 20; ++i) EXPECT_TRUE(fill_block(sda, part * 20 + i, 1));
      });
      EXPECT_TRUE(sync_dev(sda));
      EXPECT_EQ(held(), 0u);
    });
  });
}

// --- 2: a shadow holds the content as of the last completed modification

TEST(rule_2, the_shadow_follows_every_modification) {
  with_stick([](medium&) {
    for (u8 value : {u8{1}, u8{2}, u8{3}}) {
      ASSERT_TRUE(change_bytes(sda, 5, 100, 50, value));
      const checkpoint::slot* slot = checkpoint::find_slot(sda, block_nr{5});
      ASSERT_TRUE(slot);
      EXPECT_EQ(slot->bytes()[120], byte{value});
      EXPECT_EQ(slot->bytes()[99], byte{5});
      EXPECT_EQ(slot->bytes()[150], byte{5});
    }
    EXPECT_EQ(held(), 1u);
  });
}

// --- 3: released only when the content is durable

TEST(rule_3, a_completed_write_alone_releases_nothing) {
  with_stick([](medium& stick) {
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
    };
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    EXPECT_FALSE(sync_dev(sda));
    EXPECT_EQ(stick.count(block_command::write), 1u);
    EXPECT_EQ(held(), 1u);
    stick.fault = {};
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(held(), 0u);
  });
}

TEST(rule_3, what_is_changed_during_the_flush_stays_held) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    stick.least_latency = stick.most_latency = 50_ms;
    auto syncing = spawn("sync", [] { EXPECT_TRUE(sync_dev(sda)); });
    sleep_for(110_ms);  // the write is done, the flush under way
    ASSERT_TRUE(fill_block(sda, 5, 0x66));
    syncing.join();
    EXPECT_EQ(held(), 1u);
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x66));
  });
}

TEST(rule_3, a_flush_that_the_pull_overtakes_releases_nothing) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    stick.pull_at(stick.steps() + 5, {.loss = cache_loss::all});  // the first step of the flush
    (void)sync_dev(sda);
    await_state(sda, volume_state::absent);
    EXPECT_EQ(held(), 1u);
    bring_back(stick);
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
  });
}

// A stick that was reset by itself may have lost its cache: its next flush proves nothing.
TEST(rule_3, a_lost_write_cache_is_written_once_more) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    bool reset = false;
    stick.fault = [&](block_command cmd, lba, u32) {
      if (cmd == block_command::flush && !reset) {
        reset = true;
        stick.device().cache_lost();
        stick.forget_cache();
      }
      return std::optional<error>();
    };
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
    EXPECT_EQ(held(), 0u);
  });
}

// --- 4: the sealed set

TEST(rule_4, new_operations_wait_for_the_stick) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    auto writer = spawn("writer", [] { EXPECT_TRUE(fill_block(sda, 6, 0x66)); });
    sleep_for(10_s);
    EXPECT_FALSE(writer.ended());
    EXPECT_EQ(held(), 1u) << "the set cannot grow";
    bring_back(stick);
    writer.join();
  });
}

TEST(rule_4, but_no_longer_than_io_wait) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_EQ(fill_block(sda, 6, 0x66).error(), error::eio);
    EXPECT_EQ(now() - before, 30_s);
    EXPECT_EQ(held(), 1u);
  });
}

TEST(rule_4, and_interruptibly) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    auto writer = spawn("writer", [] { EXPECT_EQ(fill_block(sda, 6, 1).error(), error::eintr); });
    auto reader = spawn("reader", [] { EXPECT_EQ(byte_of(sda, 200).error(), error::eintr); });
    sleep_for(1_s);
    writer.signal();
    reader.signal();
    writer.join();
    reader.join();
  });
}

TEST(rule_4, an_operation_that_had_begun_completes) {
  with_stick([](medium& stick) {
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    auto buffer = getblk(sda, block_nr{7});
    ASSERT_TRUE(buffer);
    pull_from(stick, sda);
    EXPECT_TRUE(buffer->overwrite(
        *op, [](std::span<byte> bytes) { std::ranges::fill(bytes, byte{0x77}); }));
    EXPECT_EQ(held(), 1u);
    *buffer = buffer_ref();
    { const operation ended = std::move(*op); }
    bring_back(stick);
    EXPECT_TRUE(block_is(stick.durable(), 7, 0x77));
  });
}

TEST(rule_4, cached_and_held_blocks_are_read_on) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    EXPECT_EQ(byte_of(sda, 9), 9);
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_EQ(byte_of(sda, 5), 0x55);
    EXPECT_EQ(byte_of(sda, 9), 9);
    EXPECT_EQ(now(), before) << "nobody waited";
  });
}

// Read-your-writes, also when the buffer has been taken by other blocks.
TEST(rule_4, a_held_block_is_read_from_the_region) {
  with_stick(1, {.buffers = 64}, [](medium& stick) {
    medium other(blocks * SECTORS_PER_BLOCK, "OTHER");
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    plug_as(other, sdb);
    for (u32 i = 0; i < 100; ++i) ASSERT_TRUE(byte_of(sdb, i));
    EXPECT_EQ(byte_of(sda, 5, 1023), 0x55);
  });
}

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
      bring_back(stick);
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
    bring_back(stick);
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
  });
}

TEST(rule_5, the_port_and_the_other_sticks_do_not_matter) {
  with_stick([](medium& stick) {
    medium other(blocks * SECTORS_PER_BLOCK, "OTHER");
    ASSERT_TRUE(change_bytes(sda, 5, 0, 100, 0x55));
    pull_from(stick, sda);
    plug_as(other, sdb);
    bring_back(stick);
    EXPECT_EQ(stick.bytes()[5 * BLOCK_SIZE], byte{0x55});
    EXPECT_EQ(other.count(block_command::write), 0u);
  });
}

TEST(rule_5, another_capacity_or_serial_is_another_stick) {
  with_stick([](medium& stick) {
    medium bigger((blocks + 1) * SECTORS_PER_BLOCK);
    medium twin({stick.durable().begin(), stick.durable().end()}, "TWIN");
    ASSERT_TRUE(change_bytes(sda, 5, 0, 100, 0x55));
    pull_from(stick, sda);
    plug_as(bigger, sdb);
    plug_as(twin, dev_id(8, 32));
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(bigger.count(block_command::write) + twin.count(block_command::write), 0u);
  });
}

// --- 6: no write before verification

TEST(rule_6, every_sector_is_read_before_the_first_write) {
  with_stick([](medium& stick) {
    for (u32 block : {5u, 6u, 100u, 300u}) ASSERT_TRUE(change_bytes(sda, block, 0, 10, 1));
    pull_from(stick, sda);
    stick.clear_log();
    bring_back(stick);
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
    bring_back(stick);
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
        bring_back(stick);
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
    bring_back(stick);
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

TEST(rule_8, the_right_stick_ends_the_conflict) {
  with_stick([](medium& stick) {
    make_conflict(stick);
    stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    bring_back(stick);
    EXPECT_EQ(held(), 0u);
  });
}

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
      for (u32 block : {5u, 6u}) {
        op->about(ino_nr{9}, "/mnt/notes.txt");
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
    pull_from(stick, sda);
    auto writer = spawn("writer", [] { EXPECT_EQ(fill_block(sda, 6, 1).error(), error::eio); });
    auto reader = spawn("reader", [] { EXPECT_EQ(byte_of(sda, 200).error(), error::eio); });
    writer.join();
    reader.join();
    EXPECT_LT(now(), instant{} + 25_s);
  });
}

// --- 10: nothing waits for ever, and other volumes never notice

TEST(rule_10, another_volume_works_on) {
  with_stick([](medium& stick) {
    medium other(blocks * SECTORS_PER_BLOCK, "OTHER");
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

// Even when an absent one has nearly all of the region.
TEST(rule_10, an_absent_volume_cannot_starve_the_others_for_ever) {
  with_stick(1, {.buffers = 512, .slots = least_slots, .hold = 60_s}, [](medium& stick) {
    medium other(blocks * SECTORS_PER_BLOCK, "OTHER");
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

TEST(rule_11, clean_buffers_are_read_again_after_an_absence) {
  with_stick([](medium& stick) {
    EXPECT_EQ(byte_of(sda, 9), 9);
    checkpoint::mounted(sda);  // so that the name is kept though nothing is dirty
    pull_from(stick, sda);
    stick.bytes()[9 * BLOCK_SIZE] = byte{0x99};
    bring_back(stick);
    EXPECT_EQ(byte_of(sda, 9), 0x99);
  });
}

TEST(rule_11, a_buffer_in_use_must_be_as_it_was) {
  for (const bool changed : {false, true}) {
    with_stick([&](medium& stick) {
      checkpoint::mounted(sda);
      const auto buffer = bread(sda, block_nr{9});
      ASSERT_TRUE(buffer);
      pull_from(stick, sda);
      if (changed) stick.bytes()[9 * BLOCK_SIZE] = byte{0x99};
      stick.plug();
      await_state(sda, changed ? volume_state::conflict : volume_state::live);
    });
  }
}

TEST(rule_11, a_stick_pulled_clean_comes_back_by_the_same_way) {
  with_stick([](medium& stick) {
    checkpoint::mounted(sda);
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    ASSERT_TRUE(sync_dev(sda));
    pull_from(stick, sda);
    EXPECT_EQ(held(), 0u);
    sleep_for(1'000_s);
    EXPECT_EQ(state_of(sda), volume_state::absent) << "nothing is waiting, so nothing expires";
    stick.clear_log();
    bring_back(stick);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(byte_of(sda, 5), 0x55);
  });
}

}  // namespace
