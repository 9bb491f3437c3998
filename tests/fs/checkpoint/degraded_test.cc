// A stick that refuses some of its blocks: the others are durable, these are kept, named and tried
// again, and the volume is degraded meanwhile.
#include <gtest/gtest.h>

#include "fs/checkpoint/shadow.h"
#include "fs/replug/info_files.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "lib/format.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// Writes that touch this block fail.
void refuse_block(medium& stick, u32 block) {
  stick.fault = [=](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
    const u32 begin = block * SECTORS_PER_BLOCK;
    const bool hit = first.value() < begin + SECTORS_PER_BLOCK && begin < first.value() + sectors;
    return cmd == block_command::write && hit ? std::optional(error::eio) : std::nullopt;
  };
}

// Blocks 100 to 139 are changed; the stick comes back and refuses the twentieth of them.
void come_back_with_a_bad_block(medium& stick) {
  stick.max_sectors = 2;  // otherwise neighbours fail with it
  for (u32 block = 100; block < 140; ++block)
    ASSERT_TRUE(fill_block(sda, block, 0x55, ino_nr{7}, "/mnt/letters"));
  pull_from(stick, sda);
  refuse_block(stick, 120);
  stick.plug();
  await_state(sda, volume_state::degraded);
}

TEST(degraded, a_return_makes_all_durable_but_what_is_refused) {
  with_stick([](medium& stick) {
    come_back_with_a_bad_block(stick);
    EXPECT_EQ(held(), 1u);
    for (u32 block = 100; block < 140; ++block)
      EXPECT_EQ(block_is(stick.durable(), block, 0x55), block != 120) << block;
    EXPECT_TRUE(said("39 blocks written"));
    EXPECT_FALSE(said("nothing is lost"));
    EXPECT_TRUE(said("does not take 1 block: kept here"));
    EXPECT_TRUE(said("Kept: /mnt/letters (1 block)"));
    EXPECT_EQ(*byte_of(sda, 120), 0x55) << "it is read from here";
  });
}

TEST(degraded, everything_else_goes_on) {
  with_stick([](medium& stick) {
    come_back_with_a_bad_block(stick);
    ASSERT_TRUE(fill_block(sda, 200, 0x66));
    EXPECT_EQ(sync_dev(sda), fail(error::eio));
    EXPECT_TRUE(block_is(stick.durable(), 200, 0x66));
    EXPECT_EQ(held(), 1u);
    EXPECT_EQ(state_of(sda), volume_state::degraded);
  });
}

TEST(degraded, the_block_is_tried_again_and_taken_one_day) {
  with_stick([](medium& stick) {
    come_back_with_a_bad_block(stick);
    EXPECT_FALSE(sync_dev(sda));
    stick.fault = {};
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(state_of(sda), volume_state::live);
    EXPECT_TRUE(block_is(stick.durable(), 120, 0x55));
    EXPECT_TRUE(said("has taken all blocks"));
    EXPECT_EQ(held(), 0u);
  });
}

TEST(degraded, it_may_be_pulled_and_comes_back) {
  with_stick([](medium& stick) {
    come_back_with_a_bad_block(stick);
    ASSERT_TRUE(fill_block(sda, 200, 0x66));
    pull_from(stick, sda);
    EXPECT_EQ(held(), 2u);
    stick.fault = {};
    plug_as(stick, sda);
    EXPECT_TRUE(block_is(stick.durable(), 120, 0x55));
    EXPECT_TRUE(block_is(stick.durable(), 200, 0x66));
  });
}

// Nothing is accepted that another machine wrote to the block that was never written.
TEST(degraded, a_change_of_another_block_elsewhere_is_still_a_conflict) {
  with_stick([](medium& stick) {
    come_back_with_a_bad_block(stick);
    ASSERT_TRUE(change_bytes(sda, 200, 0, 10, 0x66));
    pull_from(stick, sda);
    stick.bytes()[200 * BLOCK_SIZE + 600] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
  });
}

TEST(degraded, a_write_that_is_refused_makes_it_so_without_a_pull) {
  with_stick([](medium& stick) {
    refuse_block(stick, 120);
    for (const u32 block : {120u, 130u})
      ASSERT_TRUE(fill_block(sda, block, 0x55, ino_nr{7}, "/mnt/letters"));
    EXPECT_FALSE(sync_dev(sda));
    EXPECT_EQ(state_of(sda), volume_state::degraded);
    EXPECT_TRUE(said("does not take 1 block: kept here"));
    EXPECT_TRUE(said("Kept: /mnt/letters (1 block)"));
    EXPECT_TRUE(block_is(stick.durable(), 130, 0x55));
    stick.fault = {};
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(state_of(sda), volume_state::live);
    EXPECT_TRUE(block_is(stick.durable(), 120, 0x55));
  });
}

TEST(degraded, a_pull_does_not_make_it_so) {
  for_each_seed(50, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      for (u32 block = 100; block < 140; ++block) ASSERT_TRUE(fill_block(sda, block, 0x55));
      spawn("flush", [] { static_cast<void>(sync_dev(sda)); });
      stick.pull_at(stick.steps() + 1 + random_below(60), {});
      sleep_for(1_s);
      if (stick.plugged()) return;
      plug_as(stick, sda);
      EXPECT_FALSE(said("does not take"));
      EXPECT_TRUE(sync_dev(sda));
    });
  });
}

// A stick that confirms no flush any more takes every write: none of them counts.
TEST(degraded, a_stick_that_confirms_nothing_is_degraded_too) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 120, 0x55));
    pull_from(stick, sda);
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
    };
    stick.plug();
    await_state(sda, volume_state::degraded);
    EXPECT_EQ(held(), 1u);
    EXPECT_FALSE(sync_dev(sda));
    EXPECT_EQ(state_of(sda), volume_state::degraded);
    stick.fault = {};
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(state_of(sda), volume_state::live);
    EXPECT_TRUE(block_is(stick.durable(), 120, 0x55));
  });
}

TEST(degraded, ckpt_shows_it) {
  with_stick([](medium& stick) {
    come_back_with_a_bad_block(stick);
    std::array<char, 200> text{};
    text_sink out(text);
    checkpoint::print_volumes(out);
    EXPECT_NE(std::string(text.data()).find("degraded      1 held"), std::string::npos)
        << text.data();
  });
}

// A block that is freed is not missed any more.
TEST(degraded, a_refused_block_that_is_freed_is_forgotten) {
  with_stick([](medium& stick) {
    come_back_with_a_bad_block(stick);
    checkpoint::forget(sda, block_nr{120});
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// A refused write may have reached the medium in part or whole, and a pull after it keeps both
// contents possible: never a false conflict.
TEST(degraded, refused_contents_are_no_conflict) {
  for_each_seed(50, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      come_back_with_a_bad_block(stick);
      ASSERT_TRUE(change_bytes(sda, 120, 0, 600, 0x77));
      static_cast<void>(sync_dev(sda));
      pull_from(stick, sda);
      stick.fault = {};
      plug_as(stick, sda);
      EXPECT_EQ(stick.durable()[120 * BLOCK_SIZE], byte{0x77});
    });
  });
}

}  // namespace
