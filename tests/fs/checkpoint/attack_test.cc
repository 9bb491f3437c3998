// Races of two tasks at one stick, and sticks that leave at the wrong moment.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "drivers/block/media_event.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/shadow.h"
#include "fs/checkpoint/volume_use.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/checkpoint/other_batches.h"
#include "tests/fs/checkpoint/quick_disk.h"
#include "tests/fs/files.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// The first flush fails and drops the cache; from then on every write fails, or none.
std::function<std::optional<error>(block_command, lba, u32)> first_flush_fails(medium& stick,
                                                                               bool and_writes) {
  return [&stick, and_writes, failed = false](block_command cmd, lba,
                                              u32) mutable -> std::optional<error> {
    if (cmd == block_command::write && failed && and_writes) return error::eio;
    if (cmd != block_command::flush || failed) return {};
    failed = true;
    stick.forget_cache();
    return error::eio;
  };
}

// A flush that fails drops what was written before it. The one of another task, which is queued
// behind it and succeeds, proves nothing about that.
TEST(attacks, a_flush_behind_a_failed_one_proves_nothing) {
  for_each_seed(20, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      ASSERT_TRUE(fill_block(sda, 5, 0x55));
      ASSERT_TRUE(write_buffers(sda));
      stick.fault = first_flush_fails(stick, true);
      in_parallel(2, [](u32) { EXPECT_FALSE(checkpoint::barrier(sda)); });
      EXPECT_FALSE(block_is(stick.durable(), 5, 0x55));
    });
  });
}

// Nor does it prove that an earlier version is durable: the medium has the content before it.
TEST(attacks, a_flush_behind_a_failed_one_forgets_no_version) {
  for_each_seed(20, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
      ASSERT_TRUE(write_buffers(sda));
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x66));
      stick.fault = first_flush_fails(stick, false);
      in_parallel(2, [](u32) { static_cast<void>(checkpoint::barrier(sda)); });
      EXPECT_TRUE(block_is(stick.durable(), 5, 5));
      pull_from(stick, sda);
      plug_as(stick, sda);
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x66});
    });
  });
}

// A block is freed while a task that changes a part of it waits for a flush: a file that shares the
// block with another (a damaged file system), or dd to the disk.
TEST(attacks, a_block_that_is_freed_under_its_change_is_an_error) {
  with_stick([](medium& stick) {
    for (u8 value = 100; value < 104; ++value) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 600, value));
      ASSERT_TRUE(write_buffers(sda));
    }
    stick.least_latency = stick.most_latency = 50_ms;
    const fiber changer =
        spawn("changer", [] { EXPECT_ERROR(error::eio, change_bytes(sda, 5, 0, 10, 1)); });
    sleep_for(10_ms);
    ASSERT_FALSE(changer.ended());
    forget_block(sda, block_nr{5});
    changer.join();
  });
}

// A block is freed while the stick is written again: when that ends its slot is free already, and
// may be another block's.
TEST(attacks, a_block_that_a_replay_makes_durable_is_not_freed_twice) {
  with_stick([](medium& stick) {
    for (u32 block = 100; block < 110; ++block) ASSERT_TRUE(fill_block(sda, block, 1));
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 50_ms;
    stick.plug();
    await_state(sda, volume_state::replay);
    const fiber remover = spawn("remover", [] { forget_block(sda, block_nr{105}); });
    sleep_for(1_ms);
    EXPECT_FALSE(remover.ended());
    remover.join();
    await_state(sda, volume_state::live);
    checkpoint::check_region_invariants();
    EXPECT_EQ(held(), 0u);
  });
}

// Two tasks use the last place for a batch: the stick of the one that waits for it is pulled and
// destroyed.
TEST(attacks, a_stick_that_leaves_while_a_task_waits_for_the_batch) {
  medium other(numbered_image(), "OTHER");
  with_stick([&](medium& stick) {
    plug_as(other, sdb);
    ASSERT_TRUE(change_bytes(sdb, 5, 0, 10, 0x55));
    pull_from(other, sdb);
    sleep_for(100_ms);
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    ASSERT_TRUE(write_buffers(sda));
    stick.fault = first_flush_fails(stick, false);
    const other_batches elsewhere;
    other.least_latency = other.most_latency = 5_s;
    other.plug();
    await_state(sdb, volume_state::verify);
    const fiber flusher = spawn("flusher", [] { EXPECT_FALSE(checkpoint::barrier(sda)); });
    sleep_for(1_s);
    EXPECT_FALSE(flusher.ended());
    pull_from(stick, sda);
    flusher.join();
    await_state(sdb, volume_state::live);
    stick.fault = {};
    plug_as(stick, sda);
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
  });
}

// Both come back before hold ends, and it ends while the first one is written: the second one has
// come in time, too.
TEST(attacks, a_stick_that_comes_in_time_waits_behind_another_without_a_loss) {
  medium other(numbered_image(), "OTHER");
  with_stick([&](medium& stick) {
    plug_as(other, sdb);
    for (const dev_id disk : {sda, sdb})
      for (u32 block = 5; block < 9; ++block) ASSERT_TRUE(change_bytes(disk, block, 0, 10, 0x55));
    pull_from(stick, sda);
    pull_from(other, sdb);
    stick.least_latency = stick.most_latency = 3_s;
    other.least_latency = other.most_latency = 3_s;
    sleep_for(295_s);
    stick.plug();
    other.plug();
    for (const dev_id disk : {sda, sdb}) await_state(disk, volume_state::live);
    EXPECT_TRUE(stick.durable()[5 * BLOCK_SIZE] == byte{0x55}) << "/dev/sda";
    EXPECT_TRUE(other.durable()[5 * BLOCK_SIZE] == byte{0x55}) << "/dev/sdb";
  });
}

// The console asks to pull one of two sticks: either will do, also one that is in use.
void pull_the_twin_with_a_name(bool in_use) {
  medium twin(numbered_image());
  with_stick([&](medium& stick) {
    plug_as(twin, sdb);
    std::optional<checkpoint::volume_use> use;
    if (in_use) use.emplace(sdb);
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    pull_from(stick, sda);
    stick.plug();
    sleep_for(5_s);
    EXPECT_TRUE(said("Pull one"));
    twin.pull();
    await_state(sda, volume_state::live);
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
  });
}

TEST(attacks, a_twin_with_a_name_can_be_pulled) {
  pull_the_twin_with_a_name(false);
  pull_the_twin_with_a_name(true);
}

// Nothing is held and nothing mounted: the name is free.
TEST(attacks, a_pull_during_a_comparison_keeps_no_name) {
  with_stick([](medium& stick) {
    std::optional<result<operation>> op(operation::begin(sda));
    ASSERT_TRUE(*op);
    const auto in_use = bread(sda, block_nr{7});  // so that there is something to compare
    pull_from(stick, sda);
    sleep_for(100_ms);
    stick.least_latency = stick.most_latency = 500_ms;
    stick.plug();
    await_state(sda, volume_state::verify);
    op.reset();
    stick.pull();
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

TEST(attacks, a_refused_stick_that_leaves_keeps_no_name) {
  with_stick([](medium& stick) {
    std::optional<result<operation>> op(operation::begin(sda));
    ASSERT_TRUE(*op);
    const auto in_use = bread(sda, block_nr{7});
    pull_from(stick, sda);
    sleep_for(100_ms);
    stick.bytes()[7 * BLOCK_SIZE] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    op.reset();
    stick.pull();
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

// The operation ends, and the disk leaves, after the last read of the comparison and before the
// task replugd runs again: it begins a replay to a disk that is gone.
TEST(attacks, a_pull_before_the_replay_keeps_no_name) {
  run(1, [] {
    boot();
    quick_disk first;
    await_state(sda, volume_state::live);
    std::optional<result<operation>> op(operation::begin(sda));
    ASSERT_TRUE(*op);
    const auto in_use = bread(sda, block_nr{7});  // so that there is something to compare
    first.die();
    media_left(first);
    ASSERT_EQ(state_of(sda), volume_state::absent);
    quick_disk second;
    bool left = false;
    second.ended = [&](block_command, u32 block) {
      if (block != 7) return;
      EXPECT_EQ(state_of(sda), volume_state::verify);
      op.reset();
      second.die();
      media_left(second);
      left = true;
    };
    sleep_for(5_s);
    EXPECT_TRUE(left);
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

// A slot that is being written again belongs to the device until that ends, also when its block is
// freed: neither the block nor its next owner is overwritten with what the slot has become.
TEST(attacks, a_freed_block_is_not_written_behind_its_next_owner) {
  run(1, [] {
    boot({.buffers = 256});
    quick_disk disk;
    await_state(sda, volume_state::live);
    for (u32 i = 100; i < 164; ++i) ASSERT_TRUE(fill_block(sda, i, 1));
    ASSERT_TRUE(write_buffers(sda));
    disk.flush_fails = true;
    const fiber flusher = spawn("flusher", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
    sleep_for(10_ms);  // the lost blocks are queued: one request
    const fiber writer = spawn("writer", [] {
      forget_block(sda, block_nr{100});
      EXPECT_TRUE(fill_block(sda, 200, 9));
      EXPECT_TRUE(fill_block(sda, 99, 7));
      EXPECT_TRUE(fill_block(sda, 100, 8));
      EXPECT_TRUE(write_buffers(sda));
    });
    sleep_for(10_ms);
    disk.ended = [&](block_command, u32) { EXPECT_NE(disk.blocks[100], byte{9}); };
    disk.busy = false;
    disk.request_fn();
    flusher.join();
    writer.join();
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(held(), 0u);
    EXPECT_EQ(disk.blocks[100], byte{8});
  });
}

}  // namespace
