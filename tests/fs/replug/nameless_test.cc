// Sticks that are plugged in and have no name yet: each gets one as soon as it can.
#include <gtest/gtest.h>

#include <list>
#include <optional>

#include "drivers/block/media_event.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/operation.h"
#include "fs/replug/replugd.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

u32 live_volumes() {
  u32 count = 0;
  for (const checkpoint::volume& v : checkpoint::all_volumes())
    count += v.state == volume_state::live;
  return count;
}

void drop_sda() { EXPECT_TRUE(checkpoint::drop_volume(*checkpoint::volume_of(sda))); }

// One block is changed and the stick is pulled before it was written.
void miss(medium& stick) {
  ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
  pull_from(stick, sda);
  sleep_for(100_ms);
}

TEST(nameless, twins_get_names_when_their_volume_is_given_up) {
  with_stick([](medium& stick) {
    miss(stick);
    medium twin(numbered_image());
    stick.plug();
    twin.plug();
    sleep_for(5_s);
    EXPECT_EQ(live_volumes(), 0u);
    drop_sda();
    sleep_for(5_s);
    EXPECT_EQ(live_volumes(), 2u);
    twin.pull();
    sleep_for(1_s);
  });
}

TEST(nameless, so_do_two_that_were_changed_elsewhere) {
  with_stick([](medium& stick) {
    miss(stick);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    medium second(numbered_image());
    second.bytes()[5 * BLOCK_SIZE + 600] ^= byte{2};
    stick.plug();
    await_state(sda, volume_state::conflict);
    second.plug();
    sleep_for(5_s);
    drop_sda();
    sleep_for(5_s);
    EXPECT_EQ(live_volumes(), 2u);
    second.pull();
    sleep_for(1_s);
  });
}

TEST(nameless, the_one_that_is_not_forced_gets_a_name) {
  with_stick([](medium& stick) {
    miss(stick);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    medium second(numbered_image());
    second.bytes()[5 * BLOCK_SIZE + 600] ^= byte{2};
    second.plug();
    await_state(sda, volume_state::conflict);
    stick.plug();
    sleep_for(5_s);
    EXPECT_TRUE(checkpoint::force_volume(*checkpoint::volume_of(sda)));
    sleep_for(5_s);
    EXPECT_EQ(live_volumes(), 2u);
    EXPECT_EQ(second.count(block_command::write), 0u);
    second.pull();
    sleep_for(1_s);
  });
}

TEST(nameless, a_ninth_stick_gets_the_first_name_that_becomes_free) {
  std::list<medium> sticks;
  run(1, [&] {
    boot();
    for (u32 i = 0; i < NR_DISKS + 1u; ++i) {
      sticks.emplace_back(numbered_image(), ("STICK" + std::to_string(i)).c_str()).plug();
      sleep_for(1_s);
    }
    EXPECT_EQ(live_volumes(), NR_DISKS);
    pull_from(sticks.front(), sda);
    sleep_for(5_s);
    EXPECT_EQ(live_volumes(), NR_DISKS);
  });
}

// Nothing waits for the missing stick, so nothing is to be decided.
TEST(nameless, a_refused_stick_gets_a_name_at_umount) {
  with_mounted_stick([](medium& stick, session& process) {
    pull_from(stick, sda);
    sleep_for(100_ms);
    stick.bytes()[BLOCK_SIZE + 18] ^= byte{4};  // the state in the superblock
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_TRUE(process.umount());
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// The last work of the volume ends while the stick is compared.
TEST(nameless, a_stick_is_not_refused_for_a_volume_that_needs_none) {
  with_stick([](medium& stick) {
    std::optional<result<operation>> op(operation::begin(sda));
    ASSERT_TRUE(*op);
    const auto in_use = bread(sda, block_nr{7});
    pull_from(stick, sda);
    sleep_for(100_ms);
    stick.bytes()[7 * BLOCK_SIZE] ^= byte{1};
    stick.least_latency = stick.most_latency = 500_ms;
    stick.plug();
    await_state(sda, volume_state::verify);
    op.reset();
    sleep_for(10_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// Three alike. The second is pulled while it is compared: the third is compared all the same.
TEST(nameless, a_twin_is_found_behind_one_that_leaves) {
  with_stick([](medium& stick) {
    miss(stick);
    medium second(numbered_image()), third(numbered_image());
    second.least_latency = second.most_latency = 1_s;
    stick.clear_log();
    stick.plug();
    sleep_for(10_us);
    second.plug();
    sleep_for(10_us);
    third.plug();
    sleep_for(500_ms);
    second.pull();
    sleep_for(5_s);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_TRUE(said("alike"));
    third.pull();
    await_state(sda, volume_state::live);
  });
}

TEST(nameless, a_refused_stick_that_cannot_be_written_stays_refused) {
  with_stick([](medium& stick) {
    miss(stick);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    stick.write_protected = true;
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_FALSE(checkpoint::force_volume(*checkpoint::volume_of(sda)));
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::conflict);
    drop_sda();
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// A stick whose contact bounces while another one is compared.
TEST(nameless, a_bouncing_stick_is_not_ignored) {
  medium other(numbered_image(), "OTHER");
  with_stick([&](medium& stick) {
    plug_as(other, sdb);
    ASSERT_TRUE(change_bytes(sdb, 5, 0, 10, 0x55));
    pull_from(other, sdb);
    miss(stick);
    other.least_latency = other.most_latency = 5_s;
    other.plug();
    sleep_for(1_s);
    for (u32 i = 0; i < MAX_MEDIA; ++i) {
      stick.plug();
      sleep_for(10_ms);
      stick.pull();
      sleep_for(10_ms);
    }
    stick.plug();
    sleep_for(60_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
  });
}

// A stick that must not or cannot be written is looked at again when its volume is given up.
TEST(nameless, a_protected_stick_gets_a_name_when_its_volume_is_given_up) {
  with_stick([](medium& stick) {
    miss(stick);
    stick.write_protected = true;
    stick.plug();
    sleep_for(5_s);
    EXPECT_TRUE(said("unlock it and plug it again"));
    EXPECT_EQ(state_of(sda), volume_state::absent);
    drop_sda();
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// Neither of two alike is written to, though one of them is write-protected.
TEST(nameless, a_protected_stick_is_a_twin_as_well) {
  with_stick([](medium& stick) {
    miss(stick);
    medium twin(numbered_image());
    twin.write_protected = true;
    twin.plug();
    sleep_for(5_s);
    stick.clear_log();
    stick.plug();
    sleep_for(5_s);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_TRUE(said("alike"));
    twin.pull();
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// Nor is a stick forgotten that cannot be compared, as a block of it cannot be read.
TEST(nameless, nor_is_one_forgotten_that_cannot_be_read) {
  with_stick([](medium& stick) {
    miss(stick);
    stick.fault = [](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
      const bool hit = first.value() <= 10 && 10 < first.value() + sectors;
      return cmd == block_command::read && hit ? std::optional(error::eio) : std::nullopt;
    };
    stick.plug();
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    drop_sda();
    sleep_for(5_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// The twin is pulled in the moment in which its last block has been compared.
void pull_a_twin(u64 seed, instant when, instant& compared) {
  with_stick(seed, {}, [&](medium& stick) {
    miss(stick);
    stick.least_latency = stick.most_latency = 50_us;
    medium twin(numbered_image());
    twin.least_latency = twin.most_latency = 100_ms;
    twin.plug();
    stick.plug();
    if (when != never) sleep_for(when - now());
    if (when != never) twin.pull();
    sleep_for(20_s);
    if (when != never) {
      EXPECT_EQ(state_of(sda), volume_state::live) << "seed " << seed;
      return;
    }
    EXPECT_TRUE(said("alike"));
    compared = twin.log().back().ended;
    twin.pull();
    await_state(sda, volume_state::live);
  });
}

TEST(nameless, a_twin_that_leaves_when_it_was_compared_keeps_no_stick) {
  for (u64 seed = 1; seed <= 40; ++seed) {
    instant compared = never;
    pull_a_twin(seed, never, compared);
    pull_a_twin(seed, compared, compared);
  }
}

}  // namespace
