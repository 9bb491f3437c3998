// Writes whose outcome is in doubt: a cache that is lost while lost blocks are written again, and
// more refused blocks than one batch holds.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "tests/drivers/block/manual_disk.h"
#include "tests/fs/checkpoint/numbered_stick.h"

namespace {

using namespace sim;

constexpr u32 blocks = 20;

// The first `times` flushes fail, and each drops the whole cache.
void fail_flushes(medium& stick, u32 times) {
  stick.fault = [&stick, times](block_command cmd, lba, u32) mutable -> std::optional<error> {
    if (cmd != block_command::flush || times == 0) return {};
    --times;
    stick.forget_cache();
    return error::eio;
  };
}

// Three other sticks, so slow that a further one gets one request of the block layer at a time.
class slow_sticks {
 public:
  slow_sticks() {
    for (medium& each : sticks_) {
      each.plug();
      sleep_for(1_s);
      each.least_latency = each.most_latency = 60_s;
    }
    for (u8 disk = 1; disk <= sticks_.size(); ++disk) {
      const dev_id dev(8, static_cast<u8>(16 * disk));
      for (u32 i = 0; i < 40; ++i) EXPECT_TRUE(fill_block(dev, 2 * i, 1));
      writers_.push_back(spawn("writer", [dev] { EXPECT_TRUE(write_buffers(dev)); }));
      sleep_for(1_s);
    }
  }
  ~slow_sticks() {
    for (medium& each : sticks_) each.least_latency = each.most_latency = 1_ms;
    for (fiber& each : writers_) each.join();
  }

 private:
  std::array<medium, 3> sticks_{medium(numbered_image(), "ONE"), medium(numbered_image(), "TWO"),
                                medium(numbered_image(), "THREE")};
  std::vector<fiber> writers_;
};

// One barrier writes lost blocks again. Meanwhile the flush of another one fails: what the first
// has written until then is lost once more.
TEST(doubts, a_cache_lost_during_the_second_write_is_noticed) {
  for (u64 seed = 1; seed <= 10; ++seed) {
    with_stick(seed, {.buffers = 256, .slots = 512}, [&](medium& stick) {
      for (u32 i = 0; i < blocks; ++i) ASSERT_TRUE(fill_block(sda, 2 * i, 0x55));
      ASSERT_TRUE(write_buffers(sda));
      const slow_sticks others;
      fail_flushes(stick, 2);
      const fiber first = spawn("first", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
      const fiber second = spawn("second", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
      first.join();
      second.join();
      for (u32 i = 0; i < blocks; ++i)
        EXPECT_TRUE(block_is(stick.durable(), 2 * i, 0x55))
            << "seed " << seed << " block " << 2 * i;
      EXPECT_EQ(held(), 0u);
    });
  }
}

// The device loses its cache, so that the region writes what had been written once more.
void lose_cache_of(medium& stick) {
  stick.forget_cache();
  stick.device().cache_lost();
}

checkpoint::slot_state state_of_block(u32 block) {
  const checkpoint::slot* s = checkpoint::find_slot(sda, block_nr{block});
  return s ? s->state : checkpoint::slot_state::free;
}

void await_slot_state(u32 block, checkpoint::slot_state state) {
  for (int i = 0; i < 100'000 && state_of_block(block) != state; ++i) sleep_for(10_us);
  ASSERT_EQ(state_of_block(block), state);
}

// A block is changed while the region writes it: what the device was sent is not known. It is known
// again when a flush has proved the cache's write of the block.
TEST(doubts, a_change_during_the_regions_write_is_over_after_a_flush) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    ASSERT_TRUE(write_buffers(sda));
    lose_cache_of(stick);
    stick.least_latency = stick.most_latency = 10_ms;
    const fiber first = spawn("first", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
    await_slot_state(5, checkpoint::slot_state::rewriting);
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x66));
    first.join();
    ASSERT_TRUE(write_buffers(sda));
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x77));
    ASSERT_TRUE(checkpoint::barrier(sda));
    pull_from(stick, sda);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    stick.plug();
    await_state(sda, checkpoint::volume_state::conflict);
  });
}

// The flush of a block fails, and the block is changed during it: the cache has it, and the region
// does not write it again. It has to be written before the flush is believed.
TEST(doubts, what_was_lost_under_a_newer_change_is_written_again) {
  for (const u32 failures : {1u, 2u})
    with_stick([=](medium& stick) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
      stick.least_latency = stick.most_latency = 10_ms;
      fail_flushes(stick, failures);
      const fiber flusher = spawn("flusher", [] { EXPECT_TRUE(flush_buffers(sda)); });
      await_slot_state(5, checkpoint::slot_state::written);
      ASSERT_TRUE(change_bytes(sda, 5, 20, 10, 0x66));
      flusher.join();
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55}) << failures;
    });
}

// Holds all requests of the block layer but those that are kept for devices that hold none.
class request_hog {
 public:
  request_hog() {
    for (auto& [disk, count] : disks_)
      for (u32 i = 0; i < count; ++i)
        blocks_.emplace_back(u8{1}).start(disk, block_command::write, 4 * i);
  }
  ~request_hog() {
    for (auto& [disk, count] : disks_) disk.take_all();
  }

 private:
  struct disk_and_count {
    manual_disk disk;
    u32 count;
  };
  std::array<disk_and_count, 3> disks_{{{{}, 32}, {{}, 16}, {{}, 8}}};
  std::deque<test_block> blocks_;
};

// The region's write of a block waits for a request; meanwhile the block is changed, and the cache
// writes it first. So the region's write is the later one, and takes along what is changed then. A
// flush proves the cache's write, but that is not what the medium has.
TEST(doubts, the_regions_write_may_be_later_than_the_caches) {
  u32 overtaken = 0;
  for_each_seed(10, [&](u64 seed) {
    with_stick(seed, {}, [&](medium& stick) {
      for (u32 block : {5u, 100u}) ASSERT_TRUE(change_bytes(sda, block, 0, 10, 0x55));
      ASSERT_TRUE(write_buffers(sda));
      lose_cache_of(stick);
      u32 sent = 0;  // writes of block 100
      stick.fault = [&](block_command cmd, lba first, u32) -> std::optional<error> {
        sent += cmd == block_command::write && first == lba{100 * SECTORS_PER_BLOCK};
        return {};
      };
      stick.least_latency = stick.most_latency = 10_ms;
      const request_hog hog;
      const fiber first = spawn("first", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
      await_slot_state(100, checkpoint::slot_state::rewriting);
      ASSERT_TRUE(change_bytes(sda, 100, 0, 10, 0x66));
      const fiber writer = spawn("writer", [] { EXPECT_TRUE(write_buffers(sda)); });
      await_slot_state(100, checkpoint::slot_state::written);
      const bool caches_came_first = sent == 1;
      overtaken += caches_came_first;
      ASSERT_TRUE(change_bytes(sda, 100, 0, 10, 0x77));
      while (sent < 2) sleep_for(100_us);
      ASSERT_TRUE(change_bytes(sda, 100, 0, 10, 0x88));
      first.join();
      writer.join();
      EXPECT_EQ(stick.durable()[100 * BLOCK_SIZE], byte{caches_came_first ? u8{0x77} : u8{0x66}});
      pull_from(stick, sda, {.loss = cache_loss::none});
      plug_as(stick, sda);
      EXPECT_EQ(held(), 0u);
      EXPECT_EQ(stick.durable()[100 * BLOCK_SIZE], byte{0x88});
    });
  });
  EXPECT_GT(overtaken, 0u);
}

// 300 lost blocks are refused: the others are made durable all the same.
TEST(doubts, many_refused_blocks_keep_no_other_block) {
  medium stick(std::vector<byte>(size_t{1024} * BLOCK_SIZE));
  stick.max_sectors = SECTORS_PER_BLOCK;
  run(1, [&] {
    boot({.buffers = 512, .slots = 1024});
    plug_as(stick, sda);
    for (u32 block = 0; block < 400; ++block) ASSERT_TRUE(fill_block(sda, block, 0x55));
    ASSERT_TRUE(write_buffers(sda));
    stick.fault = [&stick, failed = false](block_command cmd, lba first,
                                           u32) mutable -> std::optional<error> {
      if (cmd == block_command::write && failed && first.value() < 300 * SECTORS_PER_BLOCK)
        return error::eio;
      if (cmd != block_command::flush || failed) return {};
      failed = true;
      stick.forget_cache();
      return error::eio;
    };
    EXPECT_FALSE(checkpoint::barrier(sda));
    EXPECT_EQ(held(), 300u);
    for (u32 block = 300; block < 400; ++block)
      EXPECT_TRUE(block_is(stick.durable(), block, 0x55)) << block;
    stick.fault = {};
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(held(), 0u);
  });
}

}  // namespace
