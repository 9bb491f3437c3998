// Writes whose outcome is in doubt: a cache that is lost while lost blocks are written again, and
// more refused blocks than one batch holds.
#include <gtest/gtest.h>

#include <optional>

#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
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

// Another stick, so slow that its writes take all requests of the block layer but one.
void take_all_requests_but_one(medium& slow) {
  slow.least_latency = slow.most_latency = 60_s;
  for (u32 i = 0; i < 63; ++i) ASSERT_TRUE(fill_block(sdb, 2 * i, 1));
}

// One barrier writes lost blocks again. Meanwhile the flush of another one fails: what the first
// has written until then is lost once more.
TEST(doubts, a_cache_lost_during_the_second_write_is_noticed) {
  for (u64 seed = 1; seed <= 10; ++seed) {
    medium slow(numbered_image(), "SLOW");
    with_stick(seed, {.buffers = 256, .slots = 512}, [&](medium& stick) {
      plug_as(slow, sdb);
      for (u32 i = 0; i < blocks; ++i) ASSERT_TRUE(fill_block(sda, 2 * i, 0x55));
      ASSERT_TRUE(write_buffers(sda));
      take_all_requests_but_one(slow);
      const fiber writer = spawn("writer", [] { EXPECT_TRUE(write_buffers(sdb)); });
      sleep_for(1_s);
      fail_flushes(stick, 2);
      const fiber first = spawn("first", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
      const fiber second = spawn("second", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
      first.join();
      second.join();
      for (u32 i = 0; i < blocks; ++i)
        EXPECT_TRUE(block_is(stick.durable(), 2 * i, 0x55))
            << "seed " << seed << " block " << 2 * i;
      EXPECT_EQ(held(), 0u);
      slow.least_latency = slow.most_latency = 1_ms;
      writer.join();
    });
  }
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
