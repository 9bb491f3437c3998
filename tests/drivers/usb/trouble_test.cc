// What goes wrong with a unit, and when it is too much (trouble.h): the suspects.
#include "drivers/usb/storage/trouble.h"

#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/sim/scheduler.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr command_kind reading = command_kind::read, writing = command_kind::write;

void end_three_plugs(trouble_record& record, sector_range at) {
  for (u32 i = 0; i < 3; ++i) {
    EXPECT_FALSE(record.is_bad(reading, at)) << i;
    sleep_for(1_ms);
    record.note_end(reading, at);
  }
  EXPECT_TRUE(record.is_bad(reading, at));
}

TEST(trouble_record, a_bad_place_is_bad_for_a_minute) {
  run(1, [] {
    trouble_record record;
    end_three_plugs(record, {8, 16});
    EXPECT_FALSE(record.is_bad(writing, {8, 16}));
    EXPECT_FALSE(record.is_bad(reading, {0, 8}));
    EXPECT_FALSE(record.is_bad(reading, {16, 24}));
    EXPECT_TRUE(record.is_bad(reading, {0, 9}));
    EXPECT_TRUE(record.is_bad(reading, {15, 24}));
    sleep_for(59'999_ms);
    EXPECT_TRUE(record.is_bad(reading, {8, 10}));
    sleep_for(1_ms);
    EXPECT_FALSE(record.is_bad(reading, {8, 10}));
    record.note_end(reading, {8, 10});
    EXPECT_TRUE(record.is_bad(reading, {8, 10})) << "the fourth end, for another minute";
  });
}

TEST(trouble_record, a_suspect_is_what_its_commands_have_in_common) {
  run(1, [] {
    trouble_record record;
    record.note_end(reading, {0, 100});
    record.note_end(reading, {90, 200});
    record.note_end(reading, {80, 96});
    EXPECT_TRUE(record.is_bad(reading, {90, 96}));
    EXPECT_FALSE(record.is_bad(reading, {0, 90}));
    EXPECT_FALSE(record.is_bad(reading, {96, 200}));
  });
}

TEST(trouble_record, what_succeeds_is_no_part_of_a_suspect) {
  run(1, [] {
    trouble_record record;
    end_three_plugs(record, {8, 20});
    record.note_success(writing, {0, 100});
    EXPECT_TRUE(record.is_bad(reading, {8, 10})) << "a WRITE shows nothing of READs";
    record.note_success(reading, {4, 10});
    EXPECT_FALSE(record.is_bad(reading, {8, 10}));
    record.note_success(reading, {16, 24});
    EXPECT_FALSE(record.is_bad(reading, {16, 20}));
    record.note_success(reading, {12, 14});
    EXPECT_TRUE(record.is_bad(reading, {10, 16})) << "in its middle";
    record.note_success(reading, {10, 16});
    EXPECT_FALSE(record.is_bad(reading, {0, 100}));
    end_three_plugs(record, {8, 20});
  });
}

TEST(trouble_record, the_fifth_suspect_takes_the_place_of_the_oldest) {
  run(1, [] {
    trouble_record record;
    for (u64 i = 0; i < 4; ++i) end_three_plugs(record, {10 * i, 10 * i + 10});
    for (u64 i = 0; i < 4; ++i) EXPECT_TRUE(record.is_bad(reading, {10 * i, 10 * i + 10})) << i;
    end_three_plugs(record, {40, 50});
    for (u64 i = 0; i < 5; ++i)
      EXPECT_EQ(record.is_bad(reading, {10 * i, 10 * i + 10}), i != 0) << i;
  });
}

}  // namespace
}  // namespace usb::storage
