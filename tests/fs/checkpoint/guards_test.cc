// The guards of the checkpoint that the rules and rows leave untouched: each of these tests is the
// one that kills a mutant (tests/mutants/).
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "drivers/block/genhd.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/shadow.h"
#include "fs/replug/info_files.h"
#include "fs/replug/report.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/files.h"
#include "tests/fs/settled.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// Four contents may stand on the medium besides the newest; the change that would make a fifth
// waits for a flush. Whatever the cache loses then is no conflict.
TEST(guards, a_fifth_version_waits_for_a_flush) {
  for_each_seed(20, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      for (u8 value = 100; value < 111; ++value) {
        ASSERT_TRUE(change_bytes(sda, 5, 0, 600, value));
        ASSERT_TRUE(write_buffers(sda));
      }
      EXPECT_GE(stick.count(block_command::flush), 2u);
      EXPECT_LE(stick.count(block_command::flush), 4u);
      pull_from(stick, sda, {.loss = cache_loss::some});
      plug_as(stick, sda);
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{110});
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE + 700], byte{5});
    });
  });
}

// The clock of an absence stands still while the blocks are on their way back.
TEST(guards, a_replay_is_not_overtaken_by_the_end_of_hold) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    const instant pulled_at = now();
    pull_from(stick, sda);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    sleep_for(pulled_at + 9'900_ms - now());
    stick.least_latency = stick.most_latency = 500_ms;
    EXPECT_TRUE(checkpoint::execute_command("force sda"));
    EXPECT_GT(now(), pulled_at + 10_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
    EXPECT_FALSE(said("LOST"));
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
  });
}

// A copy of the stick that has been plugged in all the time.
TEST(guards, a_stick_with_a_twin_is_not_written_to) {
  medium twin(numbered_image());
  with_stick([&](medium& stick) {
    plug_as(twin, sdb);
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    pull_from(stick, sda);
    stick.clear_log();
    stick.plug();
    sleep_for(5_s);
    EXPECT_TRUE(said("Two sticks claim to be sda"));
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(stick.count(block_command::write) + twin.count(block_command::write), 0u);
    twin.pull();
    stick.pull();
    sleep_for(1_s);
    plug_as(stick, sda);
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
    EXPECT_EQ(held(), 0u);
  });
}

constexpr dev_id sda1(8, 1);
constexpr u32 first_of_partition = 32;  // block

std::vector<byte> partitioned_image() {
  std::vector<byte> image = numbered_image();
  std::fill_n(image.begin(), SECTOR_SIZE, byte{0});
  byte* entry = image.data() + 446;
  entry[4] = byte{0x83};
  entry[8] = byte{first_of_partition * SECTORS_PER_BLOCK};
  entry[12] = byte{128};
  image[510] = byte{0x55};
  image[511] = byte{0xAA};
  return image;
}

void with_partitioned_stick(const std::function<void(medium&)>& body) {
  medium stick(partitioned_image());
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    body(stick);
  });
}

// A block of a partition is compared and replayed where the partition lies.
TEST(guards, a_replay_goes_where_the_partition_is) {
  with_partitioned_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda1, 5, 0, 10, 0xA5));
    pull_from(stick, sda);
    plug_as(stick, sda);
    EXPECT_EQ(stick.durable()[(first_of_partition + 5) * BLOCK_SIZE], byte{0xA5});
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{5});
  });
}

// A partition that the table does not name will not come back with the stick.
TEST(guards, a_partition_that_does_not_exist_is_not_waited_for) {
  with_partitioned_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda1, 5, 0, 10, 0xA5));
    pull_from(stick, sda);
    const instant begun = now();
    EXPECT_ERROR(error::enxio, bread(dev_id(8, 2), block_nr{0}));
    EXPECT_ERROR(error::enxio, resolve(dev_id(8, 9)));
    EXPECT_ERROR(error::enodev, resolve(sda1));
    EXPECT_EQ(now(), begun);
    plug_as(stick, sda);
  });
}

// Rule 11 for a partition: a clean block that no task uses is not compared but read again.
TEST(guards, a_clean_block_of_a_partition_may_change_elsewhere) {
  with_partitioned_stick([](medium& stick) {
    ASSERT_EQ(byte_of(sda1, 6), first_of_partition + 6);
    ASSERT_TRUE(change_bytes(sda1, 5, 0, 10, 0xA5));
    pull_from(stick, sda);
    sleep_for(1_s);
    std::fill_n(stick.bytes().data() + (first_of_partition + 6) * BLOCK_SIZE, BLOCK_SIZE,
                byte{0xEE});
    plug_as(stick, sda);
    EXPECT_EQ(byte_of(sda1, 6), 0xEE);
    EXPECT_EQ(stick.durable()[(first_of_partition + 5) * BLOCK_SIZE], byte{0xA5});
  });
}

// An operation that has begun is finished: neither a signal nor io_wait ends its wait for a block
// that it needs.
TEST(guards, an_operation_that_has_begun_waits_without_patience) {
  with_stick(1, {.io_wait = 10_s}, [](medium& stick) {
    auto writer = spawn("writer", [&] {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      op->begin_step();
      pull_from(stick, sda);
      EXPECT_EQ(byte_of(sda, 200), 200);
    });
    sleep_for(1_s);
    writer.signal();
    sleep_for(30_s);
    EXPECT_FALSE(writer.ended());
    plug_as(stick, sda);
    writer.join();
  });
}

TEST(guards, all_operations_that_have_begun_go_on_when_the_stick_is_back) {
  with_stick([](medium& stick) {
    std::vector<fiber> tasks;
    for (const u8 block : {u8{200}, u8{201}, u8{202}})
      tasks.push_back(spawn("writer", [block] {
        auto op = operation::begin(sda);
        ASSERT_TRUE(op);
        op->begin_step();
        sleep_for(1_s);
        EXPECT_EQ(byte_of(sda, block), block);
      }));
    sleep_for(500_ms);
    pull_from(stick, sda);
    sleep_for(5_s);
    for (fiber& each : tasks) EXPECT_FALSE(each.ended());
    plug_as(stick, sda);
    for (fiber& each : tasks) each.join();
  });
}

// The dirty buffers of an absent stick are free for other blocks, though they could not be written.
TEST(guards, a_cache_full_of_an_absent_sticks_blocks_serves_another) {
  medium other(numbered_image(), "OTHER");
  with_stick(1, {.buffers = 64}, [&](medium& stick) {
    plug_as(other, sdb);
    for (u32 i = 0; i < 64; ++i) ASSERT_TRUE(fill_block(sda, 300 + i, 1));
    pull_from(stick, sda);
    const instant before = now();
    for (u32 i = 0; i < 100; ++i) EXPECT_EQ(byte_of(sdb, i), i);
    EXPECT_LT(now() - before, 10_s);
  });
}

// A write that was still in the queue at the pull has touched nothing, so a foreign byte in its
// block is a change made elsewhere, not a torn write.
TEST(guards, a_write_that_was_only_queued_excuses_nothing) {
  with_stick([](medium& stick) {
    for (u32 block : {5u, 100u}) ASSERT_TRUE(change_bytes(sda, block, 0, 10, 0x55));
    stick.least_latency = stick.most_latency = 500_ms;
    auto writer = spawn("writer", [] { static_cast<void>(write_buffers(sda)); });
    sleep_for(100_ms);
    pull_from(stick, sda, {.sector = in_flight::old_content});
    writer.join();
    stick.bytes()[100 * BLOCK_SIZE + 600] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
  });
}

// After a flush the content before it cannot come back by itself: another machine has brought it
// back.
TEST(guards, what_was_before_a_flush_is_a_conflict) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    ASSERT_TRUE(write_buffers(sda));
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x66));
    ASSERT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
    pull_from(stick, sda);
    std::fill_n(stick.bytes().begin() + 5 * BLOCK_SIZE, 10, byte{5});
    stick.plug();
    await_state(sda, volume_state::conflict);
  });
}

// More blocks than one batch of a replay takes.
TEST(guards, a_replay_writes_every_block) {
  with_stick(1, {.buffers = 400, .slots = 800}, [](medium& stick) {
    for (u32 i = 0; i < 300; ++i) ASSERT_TRUE(fill_block(sda, 200 + i, 0xA5));
    EXPECT_EQ(held(), 300u);
    pull_from(stick, sda);
    plug_as(stick, sda);
    for (u32 i = 0; i < 300; ++i) EXPECT_TRUE(block_is(stick.durable(), 200 + i, 0xA5)) << i;
  });
}

// A stick that resets itself in the middle of a replay has lost what was written to it.
TEST(guards, a_replay_through_a_reset_is_none) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    pull_from(stick, sda);
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (cmd == block_command::flush) {
        stick.device().cache_lost();
        stick.forget_cache();
      }
      return std::nullopt;
    };
    stick.plug();
    sleep_for(5_s);
    EXPECT_EQ(held(), 1u);
    stick.fault = {};
    stick.pull();
    sleep_for(1_s);
    plug_as(stick, sda);
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
  });
}

// An operation that had begun when its volume was given up.
TEST(guards, an_operation_that_outlives_its_volume_changes_nothing) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    pull_from(stick, sda);
    await_state(sda, volume_state::dead);
    auto buffer = getblk(sda, block_nr{7});
    ASSERT_TRUE(buffer);
    const auto fill = [](std::span<byte> bytes) { std::ranges::fill(bytes, byte{1}); };
    EXPECT_EQ(buffer->overwrite(*op, fill).error(), error::eio);
    EXPECT_EQ(held(), 0u);
  });
}

// An operation that began before a pull overwrites a block while the stick is compared: until it
// has changed it, the block is what the medium has, for a reader and for the next comparison.
TEST(guards, a_block_that_waits_for_its_change_is_not_read_from_its_buffer) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    auto writer = spawn("writer", [&] {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      await_state(sda, volume_state::verify);
      auto buffer = getblk(sda, block_nr{9});
      ASSERT_TRUE(buffer);
      const auto fill = [](std::span<byte> bytes) { std::ranges::fill(bytes, byte{0x77}); };
      EXPECT_TRUE(buffer->overwrite(*op, fill));
    });
    sleep_for(1_ms);
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 500_ms;
    stick.plug();
    await_state(sda, volume_state::verify);
    sleep_for(10_ms);
    const u8 seen = *byte_of(sda, 9);
    EXPECT_TRUE(seen == 9 || seen == 0x77) << int{seen};
    writer.join();
    stick.least_latency = stick.most_latency = 1_ms;
    pull_from(stick, sda);
    plug_as(stick, sda);
    EXPECT_TRUE(sys_sync());
    EXPECT_TRUE(block_is(stick.durable(), 9, 0x77));
  });
}

// hold=0 takes no shadows. When the device loses its cache there is nothing to write again: sync
// says so, once.
TEST(guards, without_shadows_a_lost_cache_is_told) {
  const damaged_disks lost;
  with_stick(1, {.hold = 0_s}, [](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (cmd != block_command::flush || !std::exchange(broken, false)) return {};
      stick.forget_cache();
      stick.device().cache_lost();
      return error::eio;
    };
    EXPECT_EQ(sys_sync(), fail(error::eio));
    EXPECT_FALSE(block_is(stick.durable(), 5, 0x55));
    ASSERT_TRUE(fill_block(sda, 6, 0x66));
    EXPECT_TRUE(sys_sync());
    EXPECT_TRUE(block_is(stick.durable(), 6, 0x66));
  });
}

}  // namespace
