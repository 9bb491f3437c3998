// Whether the medium in a unit may be another one (medium.h).
#include "drivers/usb/storage/medium.h"

#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/sim/scheduler.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr u64 size = 1 << 20;

// It is away for this time, and the unit is looked at before and behind it.
bool is_another_one(bool reset, duration away) {
  medium_record record;
  EXPECT_FALSE(record.note_ready(0));
  EXPECT_FALSE(record.note_none(reset));
  sleep_for(away);
  return record.note_none(reset);
}

TEST(medium_record, of_one_that_was_away_for_two_seconds) {
  run(1, [] {
    EXPECT_FALSE(is_another_one(false, 1'999_ms));
    EXPECT_TRUE(is_another_one(false, 2_s));
  });
}

TEST(medium_record, of_one_that_was_lost_behind_a_reset) {
  run(1, [] {
    EXPECT_FALSE(is_another_one(true, 4'999_ms));
    EXPECT_TRUE(is_another_one(true, 5_s));
  });
}

// The reader has noticed the reset late, or soon enough.
TEST(medium_record, of_one_that_was_ready_behind_a_reset_for_a_while) {
  for (const duration ready : {1_s, 4'999_ms, 5_s})
    run(1, [=] {
      medium_record record;
      EXPECT_FALSE(record.note_ready(1));
      sleep_for(ready);
      EXPECT_FALSE(record.note_none(1));
      sleep_for(3_s);
      EXPECT_EQ(record.note_none(1), ready >= 5_s);
    });
}

// Each reset begins the search anew.
TEST(medium_record, of_one_that_is_away_over_several_resets) {
  run(1, [] {
    medium_record record;
    for (u32 resets = 0; resets < 5; ++resets) {
      EXPECT_FALSE(record.note_none(resets));
      if (resets == 0) continue;
      sleep_for(4_s);
      EXPECT_FALSE(record.note_none(resets));
    }
    sleep_for(1_s);
    EXPECT_TRUE(record.note_none(4));
  });
}

// It was missed only once.
TEST(medium_record, of_one_that_is_back_at_the_second_look) {
  for (const u32 resets : {0u, 1u})
    for (const duration away : {1'999_ms, 2_s, 60_s})
      run(1, [=] {
        medium_record record;
        EXPECT_FALSE(record.note_ready(0));
        EXPECT_FALSE(record.note_none(resets));
        sleep_for(away);
        EXPECT_EQ(record.note_ready(resets), resets == 0 && away >= 2_s);
        EXPECT_FALSE(record.note_ready(resets)) << "that was told";
      });
}

// The time is counted anew when it has been there in between.
TEST(medium_record, of_one_that_was_away_twice) {
  run(1, [] {
    medium_record record;
    EXPECT_FALSE(record.note_ready(0));
    for (u32 i = 0; i < 3; ++i) {
      EXPECT_FALSE(record.note_none(0));
      sleep_for(1_s);
      EXPECT_FALSE(record.note_ready(0));
      sleep_for(5_s);
    }
  });
}

TEST(medium_record, of_one_that_was_exchanged_as_the_reader_tells) {
  run(1, [] {
    medium_record record;
    EXPECT_TRUE(record.note_change(0));
    EXPECT_FALSE(record.note_change(1)) << "a reset is told so, too";
    sleep_for(4'999_ms);
    EXPECT_FALSE(record.note_change(1));
    sleep_for(1_ms);
    EXPECT_TRUE(record.note_change(1));
  });
}

TEST(medium_record, of_one_of_another_size) {
  medium_record record;
  EXPECT_FALSE(record.note_size(size)) << "the first one";
  EXPECT_FALSE(record.note_size(size));
  EXPECT_TRUE(record.note_size(size + 512));
  EXPECT_FALSE(record.note_size(size + 512));
}

}  // namespace
}  // namespace usb::storage
