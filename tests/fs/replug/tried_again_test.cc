// A stick that is back and cannot be taken: it is tried until it can, and `hold` waits for it.
#include <gtest/gtest.h>

#include <vector>

#include "fs/replug/guests.h"
#include "fs/replug/replugd.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// Reads of this sector fail for so long after now.
void fail_reads_for(medium& stick, duration time, u32 sector) {
  const instant end = now() + time;
  stick.fault = [=](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
    const bool hit = first.value() <= sector && sector < first.value() + sectors;
    return cmd == block_command::read && hit && now() < end ? std::optional(error::eio)
                                                            : std::nullopt;
  };
}

// One block is changed, and the stick is pulled before it was written. To be compared, the block
// must have been read before.
void miss(medium& stick) {
  ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
  pull_from(stick, sda);
}

void expect_all_is_well(medium& stick) {
  EXPECT_EQ(state_of(sda), volume_state::live);
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
}

TEST(tried_again, a_stick_whose_block_cannot_be_read_is_compared_until_it_can) {
  with_stick([](medium& stick) {
    miss(stick);
    fail_reads_for(stick, 20_s, 10);
    stick.plug();
    sleep_for(10_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_TRUE(said("cannot be read: it is tried again in 1 s"));
    EXPECT_TRUE(said("cannot be read: it is tried again in 4 s"));
    sleep_for(30_s);
    expect_all_is_well(stick);
  });
}

// Everything else proves that it is the missing one.
TEST(tried_again, a_missing_stick_needs_no_readable_partition_table) {
  with_stick([](medium& stick) {
    miss(stick);
    fail_reads_for(stick, 1000_s, 0);
    stick.plug();
    sleep_for(1_s);
    expect_all_is_well(stick);
  });
}

TEST(tried_again, a_new_stick_gets_its_name_when_it_can_be_read) {
  medium stick(512);
  run(1, [&] {
    boot();
    fail_reads_for(stick, 20_s, 0);
    stick.plug();
    sleep_for(10_s);
    EXPECT_EQ(state_of(sda), volume_state::none);
    sleep_for(30_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
  });
}

// 1, 2, 4 … seconds, at most 60.
TEST(tried_again, the_pauses_double) {
  with_stick([](medium& stick) {
    miss(stick);
    std::vector<i64> tries;
    stick.fault = [&](block_command, lba, u32) -> std::optional<error> {
      const i64 second = now().ns / 1'000'000'000;
      if (tries.empty() || tries.back() != second) tries.push_back(second);
      return error::eio;
    };
    stick.plug();
    sleep_for(250_s);
    std::vector<i64> pauses;
    for (size_t i = 1; i < tries.size(); ++i) pauses.push_back(tries[i] - tries[i - 1]);
    EXPECT_EQ(pauses, (std::vector<i64>{1, 2, 4, 8, 16, 32, 60, 60, 60}));
  });
}

// The pauses are those of this stick: another one that comes begins with a short one.
TEST(tried_again, an_event_makes_the_next_try_come_at_once) {
  medium other(512, "OTHER");
  with_stick([&](medium& stick) {
    miss(stick);
    fail_reads_for(stick, 40_s, 10);
    stick.plug();
    sleep_for(50_s);
    EXPECT_EQ(state_of(sda), volume_state::absent) << "the next try is at 63 s";
    plug_as(other, sdb);
    other.pull();
    sleep_for(1_s);
    expect_all_is_well(stick);
  });
}

TEST(tried_again, hold_stands_still_while_the_stick_cannot_be_read) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    miss(stick);
    sleep_for(8_s);
    fail_reads_for(stick, 80_s, 10);
    stick.plug();
    sleep_for(70_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(held(), 1u);
    stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(held(), 1u) << "the time goes on where it stood";
    sleep_for(3_s);
    EXPECT_TRUE(said("LOST"));
  });
}

TEST(tried_again, but_not_longer_than_ten_times_hold) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    miss(stick);
    fail_reads_for(stick, 1000_s, 10);
    stick.plug();
    sleep_for(98_s);
    EXPECT_FALSE(said("LOST"));
    sleep_for(4_s);
    EXPECT_TRUE(said("LOST"));
  });
}

TEST(tried_again, hold_stands_still_while_the_stick_is_write_protected) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    miss(stick);
    sleep_for(8_s);
    stick.write_protected = true;
    stick.plug();
    sleep_for(1000_s);
    EXPECT_EQ(held(), 1u);
    EXPECT_TRUE(said("is write-protected, and 1 block waits for it: unlock it"));
    stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(held(), 1u);
    stick.write_protected = false;
    plug_as(stick, sda);
    expect_all_is_well(stick);
  });
}

// An hour write-protected, then unlocked and hard to read: the hour does not count.
TEST(tried_again, the_time_under_protection_does_not_count_against_a_bad_contact) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    miss(stick);
    stick.write_protected = true;
    stick.plug();
    sleep_for(3600_s);
    stick.pull();
    sleep_for(1_s);
    stick.write_protected = false;
    fail_reads_for(stick, 20_s, 10);
    stick.plug();
    sleep_for(60_s);
    EXPECT_FALSE(said("LOST"));
    expect_all_is_well(stick);
  });
}

TEST(tried_again, another_stick_does_not_end_the_patience_with_a_protected_one) {
  medium other(numbered_image());
  with_stick(1, {.hold = 10_s}, [&](medium& stick) {
    miss(stick);
    stick.write_protected = true;
    stick.plug();
    sleep_for(200_s);
    fail_reads_for(other, 1000_s, 10);
    other.plug();
    sleep_for(100_s);
    EXPECT_FALSE(said("LOST"));
    other.pull();
    stick.pull();
    sleep_for(1_s);
    stick.write_protected = false;
    plug_as(stick, sda);
    expect_all_is_well(stick);
  });
}

TEST(tried_again, for_ever_is_long) {
  for (const i64 hold : {i64{999'999'999}, i64{1'000'000'000}, i64{0xffff'ffff}})
    with_stick(1, {.hold = seconds(hold)}, [](medium& stick) {
      miss(stick);
      fail_reads_for(stick, 5_s, 10);
      stick.plug();
      sleep_for(20_s);
      EXPECT_FALSE(said("LOST"));
      expect_all_is_well(stick);
    });
}

// A block of the inode table that the stick refuses can often not be read, either.
TEST(tried_again, a_refused_block_of_the_file_system_need_not_be_readable) {
  with_mounted_stick([](medium& stick, session& process) {
    constexpr u32 table = 4 * SECTORS_PER_BLOCK;
    stick.max_sectors = 2;
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    stick.fault = [](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
      const bool hit = first.value() <= table && table < first.value() + sectors;
      return hit && cmd != block_command::flush ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_FALSE(sys_sync());
    pull_from(stick, sda);
    stick.plug();
    sleep_for(10_s);
    EXPECT_EQ(state_of(sda), volume_state::degraded);
    stick.fault = {};
    EXPECT_TRUE(sys_sync());
    EXPECT_EQ(state_of(sda), volume_state::live);
    EXPECT_TRUE(process.umount());
  });
}

TEST(tried_again, hold_goes_on_when_the_protected_stick_has_left) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    miss(stick);
    sleep_for(8_s);
    stick.write_protected = true;
    stick.plug();
    sleep_for(100_s);
    stick.pull();
    sleep_for(3_s);
    EXPECT_TRUE(said("LOST"));
  });
}

// A stick that goes at each first write of a replay: the time starts anew, but not for ever.
TEST(tried_again, a_stick_that_takes_nothing_is_given_up_in_the_end) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    miss(stick);
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (cmd != block_command::write) return std::nullopt;
      stick.pull_at(stick.steps() + 1, {});
      return error::eio;
    };
    const instant pulled = now();
    while (now() < pulled + 100_s) {
      EXPECT_EQ(held(), 1u) << (now() - pulled).seconds();
      stick.plug();
      sleep_for(5_s);
    }
    for (int i = 0; i < 3; ++i) {
      if (!stick.plugged()) stick.plug();
      sleep_for(5_s);
    }
    EXPECT_TRUE(said("LOST"));
  });
}

// The sectors of a write that the pull has cut may be unreadable until they are written again.
TEST(tried_again, torn_sectors_need_not_be_readable) {
  with_stick([](medium& stick) {
    stick.least_latency = stick.most_latency = 1_s;
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    spawn("flush", [] { static_cast<void>(sync_dev(sda)); });
    sleep_for(500_ms);
    pull_from(stick, sda);
    stick.least_latency = stick.most_latency = 1_ms;
    bool written = false;
    stick.fault = [&](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
      if (first.value() > 10 || 10 >= first.value() + sectors) return std::nullopt;
      written = written || cmd == block_command::write;
      return cmd == block_command::read && !written ? std::optional(error::eio) : std::nullopt;
    };
    stick.plug();
    sleep_for(500_ms);
    expect_all_is_well(stick);
  });
}

}  // namespace
