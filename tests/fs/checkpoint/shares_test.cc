// No volume takes the room of the others: neither an absent one nor one whose stick refuses its
// blocks.
#include <gtest/gtest.h>

#include "fs/checkpoint/operation.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"

namespace {

using namespace sim;

// Two sticks and the smallest region; blocks of the first are changed until it must flush.
void with_two_sticks(const std::function<void(medium&, medium&)>& body) {
  medium other(numbered_blocks * SECTORS_PER_BLOCK, "OTHER");
  with_stick(1, {.buffers = 512, .slots = least_slots}, [&](medium& stick) {
    plug_as(other, sdb);
    body(stick, other);
  });
}

void expect_writable(dev_id disk, u32 block) {
  const instant before = now();
  EXPECT_TRUE(fill_block(disk, block, 2));
  EXPECT_LT((now() - before).ns, (3_s).ns);
}

TEST(shares, an_absent_stick_leaves_room_for_the_others) {
  with_two_sticks([](medium& stick, medium&) {
    for (u32 i = 0; i < least_slots; ++i) ASSERT_TRUE(fill_block(sda, i, 1));
    EXPECT_GT(held(), 0u);
    pull_from(stick, sda);
    for (u32 i = 0; i < least_slots; ++i) expect_writable(sdb, i);
    plug_as(stick, sda);
  });
}

TEST(shares, a_stick_that_refuses_leaves_room_for_the_others) {
  with_two_sticks([](medium& stick, medium&) {
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    u32 taken = 0;
    while (taken < least_slots && fill_block(sda, taken, 1)) ++taken;
    EXPECT_LE(taken, least_slots - OPERATION_BLOCKS) << "its own writers get the error";
    for (u32 i = 0; i < least_slots; ++i) expect_writable(sdb, i);
    stick.fault = {};
  });
}

// The stick of the writer makes the room, not one that is slow or does not answer.
TEST(shares, a_stick_that_is_slow_is_not_flushed_for_another_one) {
  with_two_sticks([](medium& stick, medium& other) {
    for (u32 i = 0; i < 40; ++i) ASSERT_TRUE(fill_block(sdb, i, 1));
    other.least_latency = other.most_latency = 60_s;
    for (u32 i = 0; i < least_slots; ++i) expect_writable(sda, i);
    other.least_latency = other.most_latency = 1_ms;
    EXPECT_GT(stick.count(block_command::flush), 0u);
  });
}

}  // namespace
