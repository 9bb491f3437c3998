// The simulated stick, used without a kernel on top.
#include "tests/sim/sim_disk.h"

#include <gtest/gtest.h>

#include <cstring>

#include "drivers/block/ll_rw_block.h"
#include "tests/sim/blocks.h"
#include "tests/sim/scheduler.h"

namespace {

using sim::cache_loss;
using sim::in_flight;
using sim::test_block;

bool medium_holds(sim::medium& stick, u32 block, u8 fill) {
  const auto content = stick.bytes().subspan(size_t{block} * BLOCK_SIZE, BLOCK_SIZE);
  return std::all_of(content.begin(), content.end(), [&](byte b) { return b == byte{fill}; });
}

TEST(sim_disk, reads_what_was_written) {
  sim::medium stick(64);
  sim::run(1, [&] {
    stick.plug();
    test_block block(7);
    ASSERT_TRUE(block.write_to(stick.device(), 3));
    test_block other(0);
    ASSERT_TRUE(other.read_from(stick.device(), 3));
    EXPECT_TRUE(other.holds(7));
  });
}

TEST(sim_disk, a_write_is_durable_only_after_a_flush) {
  sim::medium stick(64);
  sim::run(1, [&] {
    stick.plug();
    test_block block(7);
    ASSERT_TRUE(block.write_to(stick.device(), 3));
    EXPECT_TRUE(medium_holds(stick, 3, 0));
    ASSERT_TRUE(stick.device().flush());
    EXPECT_TRUE(medium_holds(stick, 3, 7));
  });
}

TEST(sim_disk, a_pull_can_lose_the_cache_or_not) {
  for (const cache_loss loss : {cache_loss::all, cache_loss::none}) {
    sim::medium stick(64);
    sim::run(1, [&] {
      stick.plug();
      test_block block(7);
      ASSERT_TRUE(block.write_to(stick.device(), 3));
      stick.pull({.loss = loss});
      EXPECT_TRUE(medium_holds(stick, 3, loss == cache_loss::all ? 0 : 7));
    });
  }
}

TEST(sim_disk, a_pull_ends_what_is_under_way_and_frees_the_disk) {
  sim::medium stick(64);
  sim::world world({.seed = 1});
  world.run([&] {
    stick.plug();
    test_block block(7);
    auto& device = stick.device();
    auto writer =
        sim::spawn("writer", [&] { EXPECT_EQ(block.write_to(device, 3).error(), error::enodev); });
    sleep_for(10_us);
    stick.pull();
    writer.join();
    sleep_for(1_s);
  });
  EXPECT_EQ(world.kernel_tasks().size(), 0u);
}

// One block written and flushed: begin, two sectors, status; begin, two sectors.
TEST(sim_disk, can_be_pulled_at_every_step) {
  constexpr u64 steps = 7;
  for (u64 step = 1; step <= steps; ++step) {
    sim::medium stick(64);
    sim::run(step, [&] {
      stick.plug();
      stick.pull_at(step, {.loss = cache_loss::all, .sector = in_flight::old_content});
      test_block block(7);
      auto& device = stick.device();
      device.hold();
      const bool written = block.write_to(device, 3).has_value();
      EXPECT_EQ(written, step > 4) << step;
      EXPECT_FALSE(written && device.flush()) << step;
      EXPECT_FALSE(stick.plugged());
      EXPECT_EQ(medium_holds(stick, 3, 7), step == 7) << step;
      device.drop();
    });
  }
}

TEST(sim_disk, tears_a_sector) {
  sim::for_each_seed(5, [](u64 seed) {
    sim::medium stick(64);
    sim::run(seed, [&] {
      stick.plug();
      stick.pull_at(2, {.loss = cache_loss::none, .sector = in_flight::torn});
      test_block block(7);
      EXPECT_FALSE(block.write_to(stick.device(), 0));
      EXPECT_EQ(stick.bytes()[SECTOR_SIZE], byte{0});
      EXPECT_EQ(stick.bytes()[SECTOR_SIZE - 1], byte{0});
    });
  });
}

TEST(sim_disk, fails_when_it_is_told_to) {
  sim::medium stick(64);
  sim::run(1, [&] {
    stick.plug();
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    test_block block(7);
    EXPECT_EQ(block.write_to(stick.device(), 1).error(), error::eio);
    EXPECT_TRUE(block.read_from(stick.device(), 1));
    EXPECT_EQ(stick.count(block_command::write), 1u);
    EXPECT_EQ(stick.count(block_command::read), 1u);
  });
}

TEST(sim_disk, every_plug_is_a_new_epoch) {
  sim::medium stick(64);
  sim::run(1, [&] {
    stick.plug();
    const attach_epoch first = stick.device().epoch;
    stick.pull();
    sleep_for(1_s);
    stick.plug();
    EXPECT_NE(stick.device().epoch, first);
  });
}

}  // namespace
