// A block device that goes: no task waits for it, and none uses it any more
// (drivers/block/block_device.h).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "drivers/block/genhd.h"
#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "hal/memory.h"
#include "tests/drivers/block/manual_disk.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"

namespace {

using sim::manual_disk;
using sim::start_all;
using sim::test_block;

TEST(block_device, death_ends_everything_that_is_queued) {
  sim::run(1, [] {
    manual_disk disk;
    auto blocks = start_all(disk, block_command::write, {1, 2, 9, 20});
    auto flusher = sim::spawn("flusher", [&] { EXPECT_EQ(disk.flush().error(), error::enodev); });
    sleep_for(1_ms);
    {
      sim::must_not_sleep here;
      disk.die();
      disk.die();
    }
    for (test_block& block : blocks) {
      EXPECT_EQ(block.wait().error(), error::enodev);
      EXPECT_TRUE(block.head.b_dirt) << "it has not been written";
      EXPECT_FALSE(block.head.b_error) << "a pull is no write error";
      EXPECT_EQ(block.endings, 1);
    }
    flusher.join();
    EXPECT_EQ(test_block(1).write_to(disk, 1).error(), error::enodev);
    EXPECT_EQ(disk.flush().error(), error::enodev);
  });
}

// die() ends what is queued; the driver ends the request that it has in hand.
TEST(block_device, death_leaves_the_request_in_hand_to_the_driver) {
  sim::run(1, [] {
    manual_disk disk;
    test_block block(1);
    block.start(disk, block_command::write, 4);
    request* in_hand = disk.next_request();
    disk.die();
    EXPECT_TRUE(block.head.b_lock);
    disk.end_request(*in_hand, fail(error::enodev));
    EXPECT_FALSE(block.head.b_lock);
  });
}

TEST(block_device, a_flush_that_the_pull_overtakes_is_never_a_success) {
  sim::run(1, [] {
    manual_disk disk;
    auto flusher = sim::spawn("flusher", [&] { EXPECT_EQ(disk.flush().error(), error::enodev); });
    sleep_for(1_ms);
    request* in_hand = disk.next_request();
    ASSERT_TRUE(in_hand);
    disk.end_request(*in_hand, {});
    disk.die();
    flusher.join();
  });
}

// There are far more writers than requests: each gets a request in the end.
TEST(block_device, waits_for_a_free_request) {
  sim::for_each_seed(5, [](u64 seed) {
    sim::medium stick(2048);
    sim::run(seed, [&] {
      stick.plug();
      block_device& disk = stick.device();
      sim::in_parallel(
          300, [&](u32 i) { EXPECT_TRUE(test_block(static_cast<u8>(i)).write_to(disk, i * 3)); });
    });
  });
}

TEST(block_device, a_pull_frees_the_tasks_that_wait_for_a_request) {
  sim::for_each_seed(5, [](u64 seed) {
    sim::medium stick(2048);
    sim::world world({.seed = seed});
    world.run([&] {
      stick.plug();
      block_device& disk = stick.device();
      disk.hold();
      u32 unwritten = 0;
      sim::in_parallel(301, [&](u32 i) {
        if (i < 300) {
          unwritten += test_block(static_cast<u8>(i)).write_to(disk, i * 3) == fail(error::enodev);
          return;
        }
        sleep_for(2_ms);
        stick.pull();
      });
      EXPECT_GT(unwritten, 200u);
      disk.drop();
      sleep_for(1_s);
    });
    EXPECT_TRUE(world.kernel_tasks().empty());
  });
}

// A device whose driver has all requests in hand, so that other callers must wait for one.
class busy_disk {
 public:
  busy_disk() {
    for (manual_disk& each : disks_) {
      blocks_.emplace_back(u8{1}).start(each, block_command::read, 0);
      in_hand_.push_back(each.next_request());
    }
  }
  void finish() {
    for (size_t i = 0; i < disks_.size(); ++i) disks_[i].end_request(*in_hand_[i], {});
  }

 private:
  std::array<manual_disk, 64> disks_;  // each may hold one
  std::deque<test_block> blocks_;
  std::vector<request*> in_hand_;
};

// Each of these devices takes as many requests as it can get, and answers none. Eleven get some,
// the RAM disk with the programs among them; the twelfth waits for one to end.
TEST(block_device, gets_a_request_however_many_others_do_not_answer) {
  sim::run(0, [] {
    std::array<manual_disk, 12> silent;
    std::vector<sim::fiber> writers;
    for (manual_disk& each : silent)
      for (u32 i = 0; i < 40; ++i)
        writers.push_back(
            sim::spawn("writer", [&each, i] { EXPECT_TRUE(test_block(1).write_to(each, 3 * i)); }));
    sleep_for(1_ms);
    std::vector<int> requests;
    for (const manual_disk& each : silent) requests.push_back(each.calls);
    EXPECT_EQ(requests, (std::vector{32, 16, 8, 1, 1, 1, 1, 1, 1, 1, 1, 0}));
    request* last = silent[10].next_request();
    ASSERT_TRUE(last);
    silent[10].end_request(*last, {});
    sleep_for(1_ms);
    EXPECT_EQ(silent[10].calls + silent[11].calls, 2);
    const auto have_ended = [&] { return std::ranges::all_of(writers, &sim::fiber::ended); };
    for (; !have_ended(); sleep_for(1_ms))
      for (manual_disk& each : silent) each.take_all();
  });
}

// The callers of a device that is gone do not wait until another device has ended a request.
TEST(block_device, a_pull_frees_its_callers_though_no_request_is_free) {
  sim::run(1, [] {
    busy_disk other;
    manual_disk disk;
    const auto reader = sim::spawn(
        "reader", [&] { EXPECT_EQ(test_block(1).read_from(disk, 1).error(), error::enodev); });
    const auto flusher =
        sim::spawn("flusher", [&] { EXPECT_EQ(disk.flush().error(), error::enodev); });
    sleep_for(1_ms);
    EXPECT_FALSE(reader.ended() || flusher.ended());
    const instant pulled = now();
    disk.die();
    reader.join();
    flusher.join();
    EXPECT_EQ(now(), pulled);
    other.finish();
  });
}

// The device is gone and its driver is done with it, but the object exists until the last task has
// returned from it.
TEST(block_device, is_there_as_long_as_a_task_sleeps_in_it) {
  const std::vector<void (*)(block_device&)> calls{
      [](block_device& disk) { static_cast<void>(test_block(1).read_from(disk, 1)); },
      [](block_device& disk) { static_cast<void>(disk.flush()); },
      [](block_device& disk) {
        const auto to = allocate_pages(1);
        static_cast<void>(read_blocks(disk, lba{}, to));
        free_pages(to);
      }};
  for (const auto call : calls)
    for (const bool without_requests : {false, true})
      sim::for_each_seed(10, [&](u64 seed) {
        sim::run(seed, [&] {
          std::optional<busy_disk> other;
          if (without_requests) other.emplace();
          auto disk = std::make_unique<manual_disk>();
          const auto user = sim::spawn("user", [&] { call(*disk); });
          const auto owner = sim::spawn("owner", [&] {
            sleep_for(1_ms);
            disk->die();
            disk->wait_unreferenced();
            disk.reset();
          });
          owner.join();
          user.join();
          if (other) other->finish();
        });
      });
}

TEST(block_device, is_reusable_when_the_last_reference_is_dropped) {
  sim::run(1, [] {
    manual_disk disk;
    disk.hold();
    disk.hold();
    auto owner = sim::spawn("owner", [&] { disk.wait_unreferenced(); });
    sleep_for(1_ms);
    disk.drop();
    sleep_for(1_ms);
    EXPECT_FALSE(owner.ended());
    disk.drop();
    owner.join();
  });
}

}  // namespace
