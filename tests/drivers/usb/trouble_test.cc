// What goes wrong with a unit, and when it is too much (trouble.h): the suspects.
#include "drivers/usb/storage/trouble.h"

#include <gtest/gtest.h>

#include <algorithm>

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
    for (u32 i = 1; i <= 9; ++i) {
      record.note_end(reading, {8, 10});
      const i64 minutes = i64{1} << std::min(i, 6u);
      sleep_for({seconds(60 * minutes).ns - 1});
      EXPECT_TRUE(record.is_bad(reading, {8, 10})) << "longer after each end";
      sleep_for({1});
      EXPECT_FALSE(record.is_bad(reading, {8, 10}));
    }
    record.note_success(reading, {8, 16});
    end_three_plugs(record, {8, 16});
    sleep_for(60_s);
    EXPECT_FALSE(record.is_bad(reading, {8, 10})) << "a success forgives all of them";
  });
}

TEST(trouble_record, a_bad_place_grows_by_a_block_that_touches_it) {
  run(1, [] {
    trouble_record record;
    end_three_plugs(record, {8, 10});
    for (const sector_range next : {sector_range{10, 12}, {6, 8}, {12, 14}}) {
      EXPECT_FALSE(record.is_bad(reading, next));
      record.note_end(reading, next);
      EXPECT_TRUE(record.is_bad(reading, next)) << "it needs no three ends of its own";
    }
    EXPECT_TRUE(record.is_bad(reading, {6, 14}));
    EXPECT_FALSE(record.is_bad(reading, {4, 6}));
    record.note_end(reading, {14, 100});
    EXPECT_FALSE(record.is_bad(reading, {14, 100})) << "many blocks: it is not known which";
    EXPECT_TRUE(record.has_suspect(reading, {20, 22}));
    record.note_end(writing, {4, 6});
    EXPECT_FALSE(record.is_bad(writing, {4, 6}));
    EXPECT_FALSE(record.has_suspect(reading, {4, 6}));
  });
}

// While its last tries are made, the whole place is left alone again.
TEST(trouble_record, a_bad_place_keeps_its_size_when_it_is_tried_again) {
  run(1, [] {
    trouble_record record;
    end_three_plugs(record, {8, 16});
    sleep_for(60_s);
    record.note_end(reading, {8, 10});
    EXPECT_TRUE(record.is_bad(reading, {14, 16}));
  });
}

TEST(trouble_record, an_examination_has_no_suspects) {
  run(1, [] {
    trouble_record record;
    for (u32 i = 0; i < 3; ++i) record.note_end(command_kind::examination, {8, 10});
    EXPECT_FALSE(record.has_suspect(command_kind::examination, {8, 10}));
  });
}

TEST(trouble_record, knows_nothing_of_another_medium) {
  run(1, [] {
    trouble_record record;
    record.begin_plug();
    end_three_plugs(record, {8, 10});
    for (u32 i = 0; i < 7; ++i) record.note_delay(writing);
    for (u32 i = 0; i < 3; ++i) EXPECT_TRUE(record.may_be_an_exchange());
    for (u32 i = 0; i < 3; ++i) record.note_examination(examination::hung);
    record.forget_medium();
    EXPECT_FALSE(record.is_bad(reading, {8, 10}));
    record.note_delay(writing);
    EXPECT_FALSE(record.reason_to_give_up());
    EXPECT_TRUE(record.may_be_an_exchange()) << "the plugs of the former one";
    record.note_examination(examination::hung);
    EXPECT_FALSE(record.hangs_when_examined());
  });
}

TEST(trouble_record, four_examinations_hang_one_after_another) {
  run(1, [] {
    trouble_record record;
    for (u32 i = 0; i < 3; ++i) {
      record.note_examination(examination::hung);
      record.note_examination(examination::absent);
    }
    EXPECT_FALSE(record.hangs_when_examined());
    record.note_examination(examination::answered);
    for (u32 i = 0; i < 3; ++i) record.note_examination(examination::hung);
    EXPECT_FALSE(record.hangs_when_examined());
    record.note_examination(examination::hung);
    EXPECT_TRUE(record.hangs_when_examined());
  });
}

// Neither do four in a year.
TEST(trouble_record, examinations_hang_one_after_another_within_ten_minutes) {
  for (const i64 between : {599, 600})
    run(1, [=] {
      trouble_record record;
      for (u32 i = 0; i < 4; ++i) {
        record.note_examination(examination::hung);
        record.note_examination(examination::absent);
        sleep_for(seconds(between));
      }
      EXPECT_EQ(record.hangs_when_examined(), between < 600);
    });
}

// A second, and twice as long for each two resets; time forgives one in two minutes.
TEST(trouble_record, resets_of_any_kind_make_a_unit_rest_longer) {
  run(1, [] {
    sleep_for(1000_s);
    trouble_record record;
    for (u32 i = 1; i <= 30; ++i) {
      record.note_reset();
      record.note_success(reading, {8, 10});
      EXPECT_EQ(record.rest().seconds(), i64{1} << std::min(i / 2, 8u)) << i;
      record.forget_medium();
    }
    sleep_for(3000_s);
    record.note_reset();
    EXPECT_EQ(record.rest().seconds(), 8) << "6 are left";
    sleep_for(12000_s);
    record.note_reset();
    EXPECT_EQ(record.rest().seconds(), 1);
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

// Those with fewer ends go first: noise drives out no place that is known to be bad.
TEST(trouble_record, the_seventeenth_suspect_takes_the_place_of_the_oldest) {
  run(1, [] {
    trouble_record record;
    const auto place = [](u64 i) { return sector_range{20 * i, 20 * i + 10}; };
    for (u64 i = 0; i < 15; ++i) end_three_plugs(record, place(i));
    for (u64 i = 100; i < 200; ++i) {
      record.note_end(reading, place(i));
      sleep_for(1_ms);
    }
    for (u64 i = 0; i < 15; ++i) EXPECT_TRUE(record.is_bad(reading, place(i))) << i;
    end_three_plugs(record, place(15));
    for (u64 i = 0; i < 16; ++i) EXPECT_TRUE(record.is_bad(reading, place(i))) << i;
    end_three_plugs(record, place(16));
    for (u64 i = 0; i < 17; ++i) EXPECT_EQ(record.is_bad(reading, place(i)), i != 0) << i;
  });
}

}  // namespace
}  // namespace usb::storage
