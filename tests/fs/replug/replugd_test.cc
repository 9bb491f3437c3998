// replugd: sticks that come back in another state, or are pulled while they are compared.
#include "fs/replug/replugd.h"

#include <gtest/gtest.h>

#include <list>

#include "hal/clock.h"
#include "tests/fs/machine.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

TEST(arrivals, a_protected_stick_waits_until_it_is_unlocked) {
  medium stick(512);
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    ASSERT_TRUE(fill_block(sda, 5, 1));
    pull_from(stick, sda);
    stick.write_protected = true;
    stick.plug();
    sleep_for(1_s);
    EXPECT_TRUE(said("is write-protected, and 1 block waits for it: unlock it and plug it again"));
    EXPECT_EQ(state_of(sda), volume_state::absent);
    stick.pull();
    sleep_for(1_s);
    stick.write_protected = false;
    plug_as(stick, sda);
    EXPECT_TRUE(block_is(stick.durable(), 5, 1));
  });
}

// Pulled at the very moment at which its last block has been compared.
TEST(arrivals, a_changed_stick_that_has_left_is_not_remembered) {
  for_each_seed(10, [](u64 seed) {
    for (int reads = 1; reads < 24; ++reads) {
      medium stick(512);
      stick.least_latency = stick.most_latency = 1_ms;
      run(seed, [&] {
        boot();
        plug_as(stick, sda);
        ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 1));
        pull_from(stick, sda);
        sleep_for(1_s);
        stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
        stick.plug();
        sleep_for(duration{reads * (1_ms).ns});
        stick.pull();
        sleep_for(1_s);
        EXPECT_EQ(state_of(sda), volume_state::absent);
        EXPECT_EQ(checkpoint::volume_of(sda)->refused, nullptr);
      });
    }
  });
}

// More sticks than there are names arrive at once, the missing one among them.
TEST(arrivals, none_of_many_at_once_is_forgotten) {
  for_each_seed(10, [](u64 seed) {
    medium stick(512);
    std::list<medium> others;
    for (u32 i = 0; i < 40; ++i) others.emplace_back(512 + 2 * i, "OTHER");
    run(seed, [&] {
      boot();
      plug_as(stick, sda);
      ASSERT_TRUE(fill_block(sda, 5, 1));
      pull_from(stick, sda);
      sleep_for(1_s);
      for (medium& other : others) other.plug();
      stick.plug();
      sleep_for(20_s);
      EXPECT_EQ(state_of(sda), volume_state::live);
      EXPECT_TRUE(block_is(stick.durable(), 5, 1));
    });
  });
}

// Three are alike. Wherever the comparing stands when one of them is pulled, no other one is
// overlooked.
TEST(arrivals, a_twin_is_found_although_another_one_is_pulled) {
  for_each_seed(200, [](u64 seed) {
    medium stick(512), second(512), third(512);
    run(seed, [&] {
      boot();
      plug_as(stick, sda);
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 1));
      pull_from(stick, sda);
      sleep_for(1_s);
      std::ranges::copy(stick.durable(), second.bytes().begin());
      std::ranges::copy(stick.durable(), third.bytes().begin());
      for (medium* each : {&second, &stick, &third}) {
        each->clear_log();
        each->least_latency = each->most_latency = 1_ms;
        each->plug();
        sleep_for(10_us);
      }
      sleep_for(duration{static_cast<i64>(random_below(60'000'000))});
      second.pull();
      sleep_for(5_s);
      EXPECT_EQ(stick.count(block_command::write), 0u);
      EXPECT_EQ(third.count(block_command::write), 0u);
    });
  });
}

// While a stick is compared with another one that looks alike, it is pulled and comes again: then
// it stands among the arrivals, and is no twin of the one that has left.
TEST(arrivals, a_stick_that_comes_again_while_it_is_compared_is_no_twin_of_itself) {
  for_each_seed(200, [](u64 seed) {
    medium stick(512), other(512);
    other.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    run(seed, [&] {
      boot();
      plug_as(stick, sda);
      plug_as(other, sdb);
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 1));
      pull_from(stick, sda);
      sleep_for(1_s);
      stick.least_latency = stick.most_latency = 1_ms;
      other.least_latency = other.most_latency = 20_ms;
      stick.plug();
      sleep_for(
          duration{static_cast<i64>(random_below(15'000'000))});  // before its block is written
      stick.pull();
      sleep_for(duration{static_cast<i64>(random_below(5'000'000))});
      stick.plug();
      sleep_for(5_s);
      EXPECT_FALSE(said("alike"));
      EXPECT_EQ(state_of(sda), volume_state::live);
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{1});
    });
  });
}

// A volume is missed from some moment on at which a stick that may be its own is looked at: that
// stick is compared with it too, and gets no other name.
TEST(arrivals, what_is_missed_during_the_look_is_compared_too) {
  for (int ms = 1; ms < 12; ++ms) {
    medium stick(512), same(512);
    run(1, [&] {
      boot();
      plug_as(stick, sda);
      ASSERT_TRUE(fill_block(sda, 5, 1));
      std::ranges::copy(stick.durable(), same.bytes().begin());
      same.least_latency = same.most_latency = 1_ms;
      same.plug();
      sleep_for(duration{ms * (1_ms).ns});
      if (state_of(sdb) == volume_state::live) return;
      pull_from(stick, sda);
      await_state(sda, volume_state::live);
      EXPECT_EQ(state_of(sdb), volume_state::none) << ms;
      EXPECT_TRUE(block_is(same.durable(), 5, 1)) << ms;
    });
  }
}

TEST(arrivals, a_stick_without_a_name_gets_the_next_free_one) {
  std::list<medium> sticks;
  for (u32 i = 0; i < NR_DISKS + 1u; ++i) sticks.emplace_back(512 + 2 * i, "SIM");
  run(1, [&] {
    boot();
    for (medium& each : sticks) {
      each.plug();
      sleep_for(1_s);
    }
    EXPECT_TRUE(said("No name is free"));
    sticks.front().pull();
    sleep_for(5_s);
    ASSERT_EQ(state_of(sda), volume_state::live);
    EXPECT_EQ(disk_of(sda)->device->identity.sectors, 512u + 2 * NR_DISKS);
  });
}

}  // namespace
