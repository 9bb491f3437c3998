// Writes whose outcome is in doubt: a cache that is lost while lost blocks are written again, and
// more refused blocks than one batch holds.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

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
