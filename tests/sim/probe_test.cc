// The search for lost wake-ups finds them, and nothing else.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <string>

#include "fs/checkpoint/volume.h"
#include "hal/clock.h"
#include "tests/sim/scheduler.h"

namespace {

// Two tasks wait for the same event, with or without a deadline. `tell` is called after it has
// come.
void two_wait(instant deadline, void (*tell)(wait_queue&)) {
  sim::world world({.seed = 1, .probe_all = true});
  world.run([&] {
    wait_queue queue;
    bool come = false;
    for (const char* name : {"first", "second"})
      sim::spawn(name, [&] {
        while (!come && now() < deadline) sleep_on(queue, deadline);
      });
    sleep_for(1_s);
    come = true;
    tell(queue);
    sleep_for(100_s);
  });
}

void wake_none(wait_queue&) {}
void wake_all(wait_queue& queue) { wake_up(queue); }

// What a forgetful wake_up would do.
void wake_one(wait_queue& queue) {
  wait_queue forgotten;
  while (queue.waiters.size() > 1) {
    waiter& other = *queue.waiters.back();
    queue.waiters.remove(other);
    forgotten.waiters.push_back(other);
  }
  wake_up(queue);
  while (waiter* other = forgotten.waiters.pop_front()) queue.waiters.push_back(*other);
}

TEST(lost_wake_ups, are_found_although_a_time_out_would_help) {
  EXPECT_NONFATAL_FAILURE(two_wait(instant{0} + 50_s, wake_none), "lost wake-up: ");
  EXPECT_NONFATAL_FAILURE(two_wait(instant{0} + 50_s, wake_one), "lost wake-up: second slept in");
}

TEST(lost_wake_ups, are_found_in_a_sleep_without_a_deadline) {
  EXPECT_NONFATAL_FAILURE(two_wait(never, wake_one), "lost wake-up: second slept in");
}

TEST(lost_wake_ups, are_not_cried_where_there_are_none) {
  two_wait(never, wake_all);
  two_wait(instant{0} + 50_s, wake_all);
}

// At the end of run() only kernel tasks sleep. The queue is one of the product's variables, whose
// condition here is a variable of the test.
TEST(lost_wake_ups, of_kernel_tasks_are_found_at_the_end) {
  const auto forget_a_task = [] {
    bool come = false;
    sim::run(1, [&] {
      sim::daemon("kernel task", [&] {
        while (!come) sleep_on(checkpoint::volumes[0].changed);
      });
      yield();
      come = true;
    });
  };
  const auto sleep_rightly = [] {
    bool come = false;
    sim::run(1, [&] {
      sim::daemon("kernel task", [&] {
        while (!come) sleep_on(checkpoint::volumes[0].changed);
      });
      yield();
    });
  };
  EXPECT_NONFATAL_FAILURE(forget_a_task(), "lost wake-up: kernel task");
  sleep_rightly();
}

TEST(lost_wake_ups, are_searched_without_a_trace) {
  sim::world world({.seed = 1, .probe_all = true});
  world.run([] {
    wait_queue queue;
    bool come = false;
    std::string order;
    std::vector<sim::fiber> sleepers;
    for (const char* name : {"a", "b", "c"}) {
      sleepers.push_back(sim::spawn(name, [&, name] {
        while (!come) sleep_on(queue);
        order += name;
      }));
      sleep_for(1_s);  // every one of these moves of the clock probes all of them
    }
    sleep_for(1_s);
    u32 places = 0;
    for (const waiter& each : queue.waiters)
      EXPECT_EQ(each.task, &sleepers[places++].task()) << "the order in the queue";
    come = true;
    wake_up(queue);
    for (const auto& each : sleepers) each.join();
    EXPECT_EQ(order.size(), 3u);
    EXPECT_EQ(now(), instant{0} + 4_s);
  });
}

TEST(lost_wake_ups, a_test_may_sleep_without_looking_again) {
  sim::world world({.seed = 1, .probe_all = true, .plain_sleeps = true});
  world.run([] {
    wait_queue queue;
    EXPECT_EQ(sleep_on(queue, now() + 1_s), wake_reason::timed_out);
  });
}

}  // namespace
