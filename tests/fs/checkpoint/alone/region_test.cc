// The region by itself (fs/checkpoint/region.h): its size, its slots, the promises of rule 1, and
// the check of its invariants.
#include "fs/checkpoint/region.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

#include "fs/checkpoint/story.h"
#include "hal/clock.h"
#include "hal/panic.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace {

using namespace sim;
using checkpoint::reservation;
using checkpoint::slot;
using checkpoint::slot_list;

constexpr dev_id sda(8, 0);

void make_region(u32 slots) {
  const kept_memory for_ever;
  checkpoint::make_region(slots);
}

u32 size_of_region(u32 pages, u32 slots) {
  u32 size = 0;
  world w({.pages = pages});
  w.run([&] {
    make_region(slots);
    size = checkpoint::region_size();
    EXPECT_EQ(checkpoint::unreserved(), size);
    EXPECT_EQ(checkpoint::slots_in_use(), 0u);
  });
  return size;
}

TEST(region, is_an_eighth_of_memory_or_as_large_as_is_asked_for) {
  EXPECT_EQ(size_of_region(16384, 0), 8192u) << "64 MiB of memory: 8 MiB of blocks";
  EXPECT_EQ(size_of_region(1024, 0), 512u);
  EXPECT_EQ(size_of_region(200, 0), 128u) << "not less";
  EXPECT_EQ(size_of_region(1 << 17, 0), 32768u) << "not more";
  EXPECT_EQ(size_of_region(1024, 1), 128u) << "not less";
  EXPECT_EQ(size_of_region(1024, 128), 128u);
  EXPECT_EQ(size_of_region(1024, 129), 192u) << "in pieces of 64";
  EXPECT_EQ(size_of_region(1024, 192), 192u);
}

TEST(region, is_smaller_when_memory_ends) {
  EXPECT_EQ(size_of_region(50, 1024), 128u);
  world w({.pages = 30, .expect_panic = true});
  w.run([] { make_region(1024); });
  EXPECT_TRUE(w.panicked()) << "128 slots are the least that a kernel can work with";
}

void with_region(const std::function<void(slot_list& set)>& body, u32 slots = 128) {
  run(1, [&] {
    make_region(slots);
    slot_list set;
    body(set);
    while (slot* s = set.front()) {
      story::tell(story::event::forgotten, s->dev, s->block);
      free_slot(*s, set);
    }
    checkpoint::check_region_invariants();
    EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size());
  });
}

slot& take(u32 block, slot_list& set, reservation& room, dev_id dev = sda) {
  slot& s = take_slot(dev, block_nr{block}, set, room);
  story::tell(story::event::shadowed, dev, block_nr{block}, s.number);
  return s;
}

TEST(region, gives_each_slot_its_number_and_its_memory) {
  with_region(
      [](slot_list& set) {
        reservation all;
        ASSERT_TRUE(all.grant(256));
        std::set<u32> numbers;
        for (u32 i = 0; i < 256; ++i) {
          slot& s = take(i, set, all);
          numbers.insert(s.number);
          std::ranges::fill(s.bytes(), static_cast<byte>(i));
        }
        EXPECT_EQ(numbers.size(), 256u);
        EXPECT_EQ(*numbers.begin(), 0u);
        EXPECT_EQ(*numbers.rbegin(), 255u);
        EXPECT_EQ(checkpoint::slots_in_use(), 256u);
        for (u32 i = 0; i < 256; ++i) {
          slot* s = checkpoint::find_slot(sda, block_nr{i});
          ASSERT_TRUE(s);
          EXPECT_TRUE(std::ranges::all_of(s->bytes(), [&](byte b) { return b == byte(i); }));
        }
        EXPECT_FALSE(checkpoint::find_slot(sda, block_nr{256}));
        EXPECT_FALSE(checkpoint::find_slot(dev_id(8, 1), block_nr{1}));
        checkpoint::check_region_invariants();
      },
      256);
}

TEST(region, promises_what_is_left_and_no_more) {
  with_region([](slot_list& set) {
    reservation first, second, third, fourth;
    EXPECT_FALSE(first.grant(129));
    EXPECT_EQ(checkpoint::unreserved(), 128u) << "a refused promise changes nothing";
    EXPECT_TRUE(first.grant(100));
    EXPECT_EQ(checkpoint::unreserved(), 28u);
    EXPECT_FALSE(second.grant(29));
    EXPECT_TRUE(second.grant(28));
    EXPECT_EQ(checkpoint::unreserved(), 0u);
    EXPECT_FALSE(third.grant(1));
    for (u32 i = 0; i < 28; ++i) take(i, set, second);
    EXPECT_EQ(second.not_taken(), 0u);
    EXPECT_EQ(second.granted(), 28u);
    EXPECT_EQ(first.not_taken(), 100u);
    checkpoint::check_region_invariants();
    {
      const reservation moved(std::move(first));
      EXPECT_EQ(moved.granted(), 100u);
      EXPECT_EQ(moved.not_taken(), 100u);
      EXPECT_EQ(checkpoint::unreserved(), 0u) << "what is moved stays promised";
    }
    EXPECT_EQ(checkpoint::unreserved(), 100u);
  });
}

// A slot that becomes free is promised to the operation that had taken it, and to no other.
TEST(region, gives_a_freed_slot_back_to_its_operation) {
  with_region([](slot_list& set) {
    reservation mine, another;
    ASSERT_TRUE(mine.grant(64) && another.grant(60));
    slot& s = take(1, set, mine);
    take(2, set, another);
    EXPECT_EQ(mine.not_taken(), 63u);
    story::tell(story::event::forgotten, sda, block_nr{1});
    free_slot(s, set);
    EXPECT_EQ(mine.not_taken(), 64u);
    EXPECT_EQ(another.not_taken(), 59u);
    EXPECT_EQ(checkpoint::unreserved(), 4u);
    checkpoint::check_region_invariants();
  });
}

TEST(region, wakes_those_who_wait_for_room) {
  with_region([](slot_list& set) {
    const auto woken_by = [](const std::function<void()>& event) {
      std::optional<wake_reason> reason;
      const fiber waiting =
          spawn("waiting", [&] { reason = sleep_on(checkpoint::room_made(), now() + 1_s); });
      while (!waiting.asleep()) sleep_for(1_ms);
      event();
      waiting.join();
      return *reason == wake_reason::woken;
    };
    std::optional<reservation> room(std::in_place);
    ASSERT_TRUE(room->grant(10));
    slot* s = &take(1, set, *room);
    EXPECT_TRUE(woken_by([&] { room.reset(); })) << "nine slots are unreserved again";
    EXPECT_EQ(checkpoint::unreserved(), 127u);
    story::tell(story::event::forgotten, sda, block_nr{1});
    EXPECT_TRUE(woken_by([&] { free_slot(*s, set); })) << "and the tenth";
    EXPECT_EQ(checkpoint::unreserved(), 128u);
  });
}

// Whether a region that is damaged in this way is noticed.
bool is_noticed(void (*damage)(slot& first, slot_list& set, reservation& room)) {
  world w({.expect_panic = true});
  w.run([&] {
    make_region(128);
    slot_list set;
    reservation room, second;
    kassert(room.grant(20) && second.grant(5));
    slot& first = take(1, set, room);
    take(2, set, room);
    take(3, set, second);
    checkpoint::check_region_invariants();
    kassert(!here().panicked());
    damage(first, set, room);
    checkpoint::check_region_invariants();
  });
  return w.panicked();
}

TEST(region, notices_when_it_is_damaged) {
  EXPECT_FALSE(is_noticed([](slot&, slot_list&, reservation&) {}));
  EXPECT_TRUE(is_noticed(
      [](slot& s, slot_list&, reservation&) { s.state = checkpoint::slot_state::free; }));
  EXPECT_TRUE(is_noticed([](slot& s, slot_list&, reservation&) { s.block = block_nr{2}; }));
  EXPECT_TRUE(is_noticed([](slot& s, slot_list&, reservation&) { s.dev = dev_id(8, 16); }));
  EXPECT_TRUE(is_noticed([](slot& s, slot_list&, reservation&) { s.charged_to = {}; }));
  EXPECT_TRUE(is_noticed([](slot&, slot_list& set, reservation&) {
    reservation none;
    take_slot(sda, block_nr{9}, set, none);
  })) << "a slot without a promise";
  EXPECT_TRUE(is_noticed([](slot& s, slot_list&, reservation&) {
    s.base_known = true;
    for (int i = 0; i < 5; ++i) push_version(s, s.bytes(), {});
  })) << "a fifth version";
  EXPECT_TRUE(is_noticed([](slot&, slot_list&, reservation& room) { (void)room.grant(1); }))
      << "two promises in one";
}

// A hash stands for a content, but not for a content of another sector.
TEST(region, knows_the_versions_of_each_sector) {
  with_region([](slot_list& set) {
    reservation room;
    ASSERT_TRUE(room.grant(1));
    slot& s = take(1, set, room);
    s.base_known = true;
    std::array<byte, BLOCK_SIZE> version{};
    std::fill_n(version.begin(), SECTOR_SIZE, byte{1});
    std::fill_n(version.begin() + SECTOR_SIZE, SECTOR_SIZE, byte{2});
    std::ranges::fill(s.bytes(), byte{3});
    push_version(s, version, {});
    const auto held = [&](u32 index, u8 value) {
      std::array<byte, SECTOR_SIZE> medium;
      medium.fill(byte{value});
      return may_hold(s, index, medium);
    };
    EXPECT_TRUE(held(0, 1) && held(1, 2) && held(0, 3) && held(1, 3));
    EXPECT_FALSE(held(0, 2) || held(1, 1) || held(0, 4) || held(1, 0));
  });
}

TEST(story, is_a_ring_of_its_last_records) {
  run(1, [] {
    sleep_for(1234567_us);
    story::tell_stick(story::event::pulled, sda);
    const story::record& first = story::records[0];
    EXPECT_EQ(first.what, story::event::pulled);
    EXPECT_EQ(first.detail, 1234u) << "milliseconds";
    EXPECT_EQ(first.pid, current_pid());
    EXPECT_EQ(first.dev, sda);
    story::told = 0;
    for (u32 i = 0; i < story::NR_RECORDS + 2; ++i)
      story::tell(story::event::forgotten, sda, block_nr{i}, i);
    EXPECT_EQ(story::told, 4098u);
    EXPECT_EQ(story::records[1].block, block_nr{4097});
    EXPECT_EQ(story::records[1].detail, 4097u);
    EXPECT_EQ(story::records[2].block, block_nr{2});
  });
}

}  // namespace
