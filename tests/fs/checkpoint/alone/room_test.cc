// Rule 1: where an operation gets its room when the region is full, and operations inside others.
#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/settings.h"
#include "hal/clock.h"
#include "hal/panic.h"
#include "tests/fs/checkpoint/alone/told_machine.h"

namespace {

using namespace sim;
using checkpoint::reservation;

constexpr dev_id sda(8, 0), sdb(8, 16), sdc(8, 32);

// Three sticks, the second with the most held blocks, the third without any; the region has less
// room than an operation needs.
struct full_region {
  std::deque<told_plug> sticks;
  std::optional<reservation> filler{std::in_place};
  std::vector<dev_id> asked;  // the disks whose listener was asked to make room
  // What it answers; each is used once, the last one for ever.
  std::deque<std::function<result<void>()>> answers;

  full_region() {
    for (int i = 0; i < 3; ++i) sticks.emplace_back();
    sticks[0].hold_blocks(3);
    sticks[1].hold_blocks(5);
    EXPECT_TRUE(filler->grant(checkpoint::unreserved() - (OPERATION_BLOCKS - 1)));
  }
  result<void> answer(dev_id disk) {
    asked.push_back(disk);
    if (asked.size() > 100) panic("room is asked for without end");
    const auto next = answers.front();
    if (answers.size() > 1) answers.pop_front();
    return next();
  }
};
full_region* it = nullptr;

void with_full_region(const std::function<void(full_region&)>& body) {
  run(1, [&] {
    checkpoint::current_settings().io_wait = 7_s;
    make_checkpoint();
    checkpoint::set_listener({.make_room = [](dev_id disk) { return it->answer(disk); },
                              .let_go = [](dev_id) { return 0u; },
                              .discard = [](dev_id) {},
                              .tell_refusal = [](dev_id, block_nr, ino_nr) {},
                              .tell_health = [](const checkpoint::volume&) {},
                              .tell_loss = [](const checkpoint::volume&) {}});
    full_region region;
    it = &region;
    body(region);
    region.filler.reset();
  });
}

result<void> begin(dev_id dev = sdc) {
  const auto op = operation::begin(dev);
  return op ? result<void>() : fail(op.error());
}

void expect_begin(
    result<void> expected, duration after,
    const std::function<void(const fiber&)>& meanwhile = [](auto&) {}, dev_id dev = sdc) {
  const waited got = wait_in_task([=] { return begin(dev); }, meanwhile);
  EXPECT_EQ(got.outcome, expected);
  EXPECT_EQ(got.took.ns, after.ns);
}

TEST(room, is_not_asked_for_while_there_is_some) {
  with_full_region([](full_region& region) {
    region.filler.emplace();
    EXPECT_TRUE(region.filler->grant(checkpoint::unreserved() - OPERATION_BLOCKS));
    expect_begin({}, {});
    EXPECT_TRUE(region.asked.empty());
  });
}

TEST(room, comes_from_the_largest_set) {
  with_full_region([](full_region& region) {
    region.answers = {[&] {
      region.filler.reset();
      return result<void>();
    }};
    expect_begin({}, {});
    EXPECT_EQ(region.asked, std::vector<dev_id>{sdb});
  });
}

// The region is full of single slots, but for three less than an operation needs.
std::shared_ptr<std::deque<reservation>> fill_by_single_slots(full_region& region) {
  region.filler.reset();
  auto pieces = std::make_shared<std::deque<reservation>>();
  const u32 too_many = checkpoint::unreserved() - (OPERATION_BLOCKS - 3);
  for (u32 i = 0; i < too_many; ++i) EXPECT_TRUE(pieces->emplace_back().grant(1));
  return pieces;
}

TEST(room, is_asked_for_again_while_flushes_give_some) {
  with_full_region([](full_region& region) {
    const auto pieces = fill_by_single_slots(region);
    region.answers = {[pieces] {
      pieces->pop_front();  // one slot, and an error of another block
      return result<void>(fail(error::eio));
    }};
    expect_begin({}, {});
    EXPECT_EQ(region.asked, (std::vector<dev_id>{sdb, sdb, sdb}));
    pieces->clear();
  });
}

TEST(room, is_looked_for_elsewhere_when_a_stick_refuses) {
  with_full_region([](full_region& region) {
    region.answers = {[] { return result<void>(fail(error::eio)); },
                      [&] {
                        region.filler.reset();
                        return result<void>();
                      }};
    expect_begin({}, {});
    EXPECT_EQ(region.asked, (std::vector<dev_id>{sdb, sda}));
  });
}

// What one flush has made is not what the next one makes: after it the sticks refuse.
TEST(room, that_is_too_small_does_not_hide_a_refusal) {
  with_full_region([](full_region& region) {
    const auto pieces = fill_by_single_slots(region);
    region.answers = {[pieces] {
                        pieces->pop_front();
                        return result<void>();
                      },
                      [] { return result<void>(fail(error::eio)); },
                      [] { return result<void>(fail(error::erofs)); }};
    expect_begin(fail(error::eio), 7_s);
    EXPECT_EQ(region.asked, (std::vector<dev_id>{sdb, sdb, sda}));
    pieces->clear();
  });
}

// The refusals of other sticks are no answer to this writer: it waits for room.
TEST(room, that_other_sticks_refuse_is_waited_for) {
  with_full_region([](full_region& region) {
    region.answers = {[] { return result<void>(fail(error::erofs)); }};
    expect_begin(fail(error::eio), 7_s);
    EXPECT_EQ(region.asked, (std::vector<dev_id>{sdb, sda}));
  });
}

TEST(room, that_its_own_stick_refuses_is_its_error) {
  with_full_region([](full_region& region) {
    region.answers = {[] { return result<void>(fail(error::erofs)); },
                      [] { return result<void>(fail(error::eio)); }};
    expect_begin(
        fail(error::erofs), {}, [](auto&) {}, sda);
    EXPECT_EQ(region.asked, (std::vector<dev_id>{sda, sdb}));
  });
}

TEST(room, is_made_by_its_own_stick_first) {
  with_full_region([](full_region& region) {
    region.answers = {[&] {
      region.filler.reset();
      return result<void>();
    }};
    expect_begin(
        {}, {}, [](auto&) {}, sda);
    EXPECT_EQ(region.asked, std::vector<dev_id>{sda});
  });
}

TEST(room, is_looked_for_elsewhere_when_a_stick_is_pulled) {
  with_full_region([](full_region& region) {
    region.answers = {[&] {
                        region.sticks[1].pull();
                        return result<void>(fail(error::enodev));
                      },
                      [&] {
                        region.filler.reset();
                        return result<void>();
                      }};
    expect_begin({}, {});
    EXPECT_EQ(region.asked, (std::vector<dev_id>{sdb, sda}));
  });
}

TEST(room, is_waited_for_when_a_flush_gives_none) {
  with_full_region([](full_region& region) {
    for (result<void> answer : {result<void>(), result<void>(fail(error::enodev))}) {
      region.asked.clear();
      region.answers = {[answer] { return answer; }};
      expect_begin(fail(error::eio), 7_s);
      EXPECT_EQ(region.asked, std::vector<dev_id>{sdb});
    }
  });
}

TEST(room, is_waited_for_while_only_absent_sticks_hold_blocks) {
  with_full_region([](full_region& region) {
    region.sticks[1].pull();
    {
      region.sticks[0].pull();
      region.sticks[0].come_back();  // nothing is held of it now
      const u32 left = checkpoint::unreserved();
      reservation rest;
      ASSERT_TRUE(left < OPERATION_BLOCKS || rest.grant(left - (OPERATION_BLOCKS - 1)));
      expect_begin(fail(error::eio), 7_s);
      expect_begin(fail(error::eintr), 2_s, [](const fiber& waiting) {
        sleep_for(2_s);
        waiting.signal();
      });
    }
    region.filler.emplace();
    ASSERT_TRUE(region.filler->grant(checkpoint::unreserved() - (OPERATION_BLOCKS - 1)));
    expect_begin({}, 2_s, [&](const fiber&) {
      sleep_for(2_s);
      region.filler.reset();
    });
    EXPECT_TRUE(region.asked.empty());
  });
}

TEST(operations, begin_only_on_disks_that_can_be_written) {
  run(1, [] {
    make_checkpoint();
    told_plug plug;
    EXPECT_TRUE(begin(sda));
    EXPECT_EQ(begin(sdb), fail(error::enxio));
    EXPECT_EQ(begin(dev_id(1, 0)), fail(error::enxio));
    EXPECT_EQ(begin(dev_id(77, 0)), fail(error::enxio));
    plug.disk->write_protected = true;
    EXPECT_EQ(begin(sda), fail(error::erofs));
    EXPECT_EQ(plug.v->operations, 0u);
    EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size());
  });
}

TEST(operations, inside_others_share_their_room) {
  run(1, [] {
    make_checkpoint();
    told_plug first, second;
    const u32 all = checkpoint::unreserved();
    EXPECT_FALSE(operation::current(sda));
    auto outer = operation::begin(sda);
    ASSERT_TRUE(outer);
    EXPECT_EQ(operation::current(dev_id(8, 3)), &*outer) << "of the same disk";
    EXPECT_FALSE(operation::current(sdb));
    {
      auto inner = operation::begin(dev_id(8, 1));
      auto innermost = operation::begin(sda);
      auto elsewhere = operation::begin(sdb);
      ASSERT_TRUE(inner && innermost && elsewhere);
      EXPECT_EQ(inner->dev(), dev_id(8, 1));
      EXPECT_EQ(&innermost->room(), &outer->room());
      EXPECT_NE(&elsewhere->room(), &outer->room());
      EXPECT_EQ(innermost->shadowed(), first.v);
      EXPECT_EQ(operation::current(sda), &*innermost);
      operation moved(std::move(*innermost));
      EXPECT_EQ(operation::current(sda), &moved);
      EXPECT_EQ(checkpoint::unreserved(), all - 2 * OPERATION_BLOCKS);
      EXPECT_EQ(first.v->operations, 1u);
      spawn("other", [&] { EXPECT_FALSE(operation::current(sda)) << "of another task"; }).join();
    }
    EXPECT_EQ(operation::current(sda), &*outer);
    operation moved(std::move(*outer));
    EXPECT_EQ(operation::current(sda), &moved);
    EXPECT_EQ(moved.room().granted(), OPERATION_BLOCKS);
    EXPECT_EQ(first.v->operations, 1u);
    EXPECT_EQ(second.v->operations, 0u);
  });
}

TEST(operations, note_the_files_that_they_are_about) {
  run(1, [] {
    make_checkpoint();
    told_plug plug;
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    EXPECT_EQ(op->owner(), ino_nr{});
    checkpoint::noted_path seven{{"/seven"}, 0}, eight{{"/eight"}, 0};
    op->about(ino_nr{7}, seven);
    EXPECT_EQ(op->owner(), ino_nr{7});
    op->about_file_system();
    EXPECT_EQ(op->owner(), ino_nr{});
    op->about(ino_nr{8}, eight);
    op->about(ino_nr{7}, seven);
    ASSERT_EQ(plug.v->files.all().size(), 2u);
    EXPECT_STREQ(plug.v->files.all()[1].path.data(), "/eight");
    operation moved(std::move(*op));
    EXPECT_EQ(moved.owner(), ino_nr{7});
    checkpoint::forget_files(*plug.v);
    EXPECT_EQ(plug.v->files.all().size(), 2u) << "an operation runs";
    { const operation ends(std::move(moved)); }
    checkpoint::forget_files(*plug.v);
    EXPECT_TRUE(plug.v->files.all().empty());
  });
}

}  // namespace
