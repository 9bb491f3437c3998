// The rows 1 to 13 of the semantics table (docs/checkpoint.md): the four moments of a pull, the
// return, other sticks.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "fs/replug/info_files.h"
#include "fs/sync.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// --- rows 1 to 4: the four moments of a pull

TEST(row_1, pulled_while_idle_and_dirty) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/hello.txt", "hello");
    EXPECT_EQ(process.read("/mnt/hello.txt"), "hello");
    sleep_for(3_s);
    EXPECT_TRUE(said("waiting for it")) << here().console();
    EXPECT_TRUE(said("4:58 left")) << here().console();
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/hello.txt", "hello");
  });
}

TEST(row_1, back_within_two_seconds_without_a_word) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/hello.txt", "hello");
    sleep_for(1'500_ms);
    plug_as(stick, sda);
    EXPECT_FALSE(said("waiting for it"));
    EXPECT_TRUE(said("nothing is lost"));
  });
}

struct moment {
  u64 step;  // after the sync begins
  const char* name;
};
void PrintTo(const moment& m, std::ostream* out) { *out << m.name; }

class rows_2_to_4 : public ::testing::TestWithParam<moment> {};

TEST_P(rows_2_to_4, nothing_is_lost) {
  for_each_seed(5, [](u64 seed) {
    with_mounted_stick(seed, {}, [](medium& stick, session& process) {
      const std::string text = pattern(3'000, 1);
      ASSERT_TRUE(process.write("/mnt/text", text));
      stick.pull_at(stick.steps() + GetParam().step, {});
      EXPECT_TRUE(sys_sync()) << "an absent volume is skipped";
      await_state(sda, volume_state::absent);
      EXPECT_GT(held(), 0u);
      plug_as(stick, sda);
      expect_on_medium(stick, process, "/text", text);
    });
  });
}

INSTANTIATE_TEST_SUITE_P(pulled, rows_2_to_4,
                         ::testing::Values(moment{3, "in_the_data_phase"},
                                           moment{8, "between_data_and_status"},
                                           moment{25, "before_the_flush_is_done"}),
                         [](const auto& each) { return std::string(each.param.name); });

// --- 5 and 6: the return

TEST(row_5, pulled_in_the_replay_the_time_starts_anew) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/hello.txt", "hello");
    sleep_for(290_s);
    stick.pull_at(stick.steps() + 3, {});
    stick.plug();
    sleep_for(100_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_GT(held(), 0u);
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/hello.txt", "hello");
  });
}

TEST(row_5, pulled_in_the_replay_it_is_soon_missed_again) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/hello.txt", "hello");
    sleep_for(5_s);
    EXPECT_TRUE(said("waiting for it, 4:58 left"));
    here().clear_console();
    stick.pull_at(stick.steps() + 3, {});
    stick.plug();
    sleep_for(3_s);
    EXPECT_TRUE(said("waiting for it, 4:58 left"));
    plug_as(stick, sda);
  });
}

TEST(row_6, the_same_stick_wakes_those_who_waited) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/first", "1");
    auto writer = spawn("writer", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.write("/mnt/second", "2"));
    });
    sleep_for(20_s);
    EXPECT_FALSE(writer.ended());
    plug_as(stick, sda);
    writer.join();
    EXPECT_TRUE(said("blocks written in"));
    expect_on_medium(stick, process, "/second", "2");
  });
}

// --- 7: the wrong stick

TEST(row_7, a_different_stick_with_the_same_serial_is_a_new_volume) {
  medium wrong(mkfs_minix(mounted_blocks, 96));
  with_mounted_stick([&](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/hello.txt", "hello");
    plug_as(wrong, sdb);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(wrong.count(block_command::write), 0u);
    EXPECT_TRUE(said("is not the missing"));
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/hello.txt", "hello");
  });
}

// Nor does it give the missing one more time.
TEST(row_7, a_different_stick_does_not_begin_hold_anew) {
  medium wrong(mkfs_minix(mounted_blocks, 96));
  with_mounted_stick([&](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/hello.txt", "hello");
    sleep_for(200_s);
    plug_as(wrong, sdb);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    sleep_for(90_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    sleep_for(11_s);
    EXPECT_EQ(state_of(sda), volume_state::dead);
    EXPECT_ERROR(error::eio, process.umount());
  });
}

// To the byte the same, so they cannot be told apart: neither is written to.
TEST(row_7, two_twins_at_once_are_both_refused_until_one_is_pulled) {
  std::optional<medium> twin;
  with_mounted_stick([&](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/hello.txt", "hello");
    twin.emplace(std::vector<byte>(stick.durable().begin(), stick.durable().end()));
    stick.clear_log();
    stick.plug();
    twin->plug();
    sleep_for(20_s);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_EQ(twin->count(block_command::write), 0u);
    EXPECT_GT(held(), 0u);
    EXPECT_TRUE(said("alike"));
    twin->pull();
    await_state(sda, volume_state::live);
    EXPECT_EQ(held(), 0u);
    expect_on_medium(stick, process, "/hello.txt", "hello");
    EXPECT_EQ(twin->count(block_command::write), 0u);
  });
}

// Nothing is unwritten, but what is written later must not go to the wrong one.
TEST(row_7, two_twins_of_a_clean_mounted_stick_are_refused_too) {
  std::optional<medium> twin;
  with_mounted_stick([&](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/hello.txt", "hello"));
    ASSERT_TRUE(sys_sync());
    pull_from(stick, sda);
    twin.emplace(std::vector<byte>(stick.durable().begin(), stick.durable().end()));
    stick.plug();
    twin->plug();
    sleep_for(20_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_TRUE(said("alike"));
    twin->pull();
    await_state(sda, volume_state::live);
    expect_on_medium(stick, process, "/hello.txt", "hello");
  });
}

// --- 10: formatted anew elsewhere

// Writes a file, and another one that the stick misses; formats the stick elsewhere.
void format_while_away(medium& stick, session& process, const std::vector<byte>& image) {
  ASSERT_TRUE(process.write("/mnt/old.txt", "old"));
  ASSERT_TRUE(sys_sync());
  write_and_pull(stick, process, "/mnt/hello.txt", "hello");
  std::ranges::copy(image, stick.bytes().begin());
  stick.clear_log();
}

TEST(row_10, formatted_with_another_geometry_it_is_a_new_volume) {
  with_mounted_stick([](medium& stick, session& process) {
    const std::vector<byte> formatted = mkfs_minix(mounted_blocks, 96);
    format_while_away(stick, process, formatted);
    plug_as(stick, sdb);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_GT(held(), 0u);
    EXPECT_TRUE(said("its content differs")) << here().console();
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_TRUE(std::ranges::equal(formatted, stick.durable()));
  });
}

TEST(row_10, formatted_with_the_same_geometry_it_is_a_conflict) {
  with_mounted_stick([](medium& stick, session& process) {
    const std::vector<byte> formatted = mkfs_minix(mounted_blocks);
    format_while_away(stick, process, formatted);
    stick.plug();
    await_state(sda, volume_state::conflict);
    sleep_for(20_s);
    EXPECT_GT(held(), 0u);
    EXPECT_TRUE(said("was formatted anew while it was away")) << here().console();
    EXPECT_FALSE(said("ckpt force"));
    EXPECT_EQ(checkpoint::execute_command("force sda"), fail(error::eperm));
    EXPECT_EQ(state_of(sda), volume_state::conflict);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_TRUE(std::ranges::equal(formatted, stick.durable()));
    EXPECT_TRUE(checkpoint::execute_command("keep sda"));
    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(std::ranges::equal(formatted, stick.durable()));
  });
}

// --- 13: two pulled, returned crosswise

TEST(row_13, two_sticks_come_back_in_the_other_order) {
  with_two_mounted_sticks([](medium& stick, medium& second, session& process) {
    ASSERT_TRUE(process.write("/mnt/one", "1"));
    write_and_pull(stick, process, "/mnt2/two", "2");
    pull_from(second, sdb);
    plug_as(second, sdb);
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount("/mnt2"));
    EXPECT_TRUE(minix_image(second.durable()).has("/two"));
    EXPECT_FALSE(minix_image(second.durable()).has("/one"));
    expect_on_medium(stick, process, "/one", "1");
  });
}

}  // namespace
