// What a person sees when a stick goes and comes back: the rows of the semantics table that are
// built (docs/checkpoint.md), on a mounted file system.
#include <gtest/gtest.h>

#include <optional>

#include "fs/checkpoint/region.h"
#include "fs/checkpoint/report.h"
#include "fs/media.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

constexpr u32 image_blocks = 400;

// A world with a stick that is mounted on /mnt. What the test leaves there is unmounted if it can
// be.
void with_mounted_stick(u64 seed, const boot_options& options,
                        const std::function<void(medium&, session&)>& body) {
  medium stick(mkfs_minix(image_blocks));
  run(seed, [&] {
    session process(boot_with_root(options));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(sys_sync());
    body(stick, process);
    check_buffer_invariants();
  });
}
void with_mounted_stick(const std::function<void(medium&, session&)>& body) {
  with_mounted_stick(1, {}, body);
}

u32 held() { return checkpoint::volume_of(sda) ? checkpoint::volume_of(sda)->set.size() : 0; }

void bring_back(medium& stick) { plug_as(stick, sda); }

// Unmounts and looks at the medium with other eyes than the kernel's.
void expect_on_medium(medium& stick, session& process, const std::string& path,
                      const std::string& content) {
  EXPECT_TRUE(process.umount());
  const minix_image image(stick.durable());
  EXPECT_EQ(image.problem_text(), "");
  ASSERT_TRUE(image.has(path));
  EXPECT_EQ(image.files().at(path).content, content);
}

// --- rows 1 to 4: the four moments of a pull

TEST(row_1, pulled_while_idle_and_dirty) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/hello.txt", "hello"));
    pull_from(stick, sda);
    EXPECT_EQ(process.read("/mnt/hello.txt"), "hello");
    sleep_for(3_s);
    EXPECT_TRUE(said("waiting for it")) << here().console();
    EXPECT_TRUE(said("4:58 left")) << here().console();
    bring_back(stick);
    expect_on_medium(stick, process, "/hello.txt", "hello");
  });
}

TEST(row_1, back_within_two_seconds_without_a_word) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/hello.txt", "hello"));
    pull_from(stick, sda);
    sleep_for(1'500_ms);
    bring_back(stick);
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
      const std::string text = sample_text(3'000, 1);
      ASSERT_TRUE(process.write("/mnt/text", text));
      stick.pull_at(stick.steps() + GetParam().step, {});
      EXPECT_TRUE(sys_sync()) << "an absent volume is skipped";
      await_state(sda, volume_state::absent);
      EXPECT_GT(held(), 0u);
      bring_back(stick);
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
    ASSERT_TRUE(process.write("/mnt/hello.txt", "hello"));
    pull_from(stick, sda);
    sleep_for(290_s);
    stick.pull_at(stick.steps() + 3, {});
    stick.plug();
    sleep_for(100_s);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_GT(held(), 0u);
    bring_back(stick);
    expect_on_medium(stick, process, "/hello.txt", "hello");
  });
}

TEST(row_5, pulled_in_the_replay_it_is_soon_missed_again) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/hello.txt", "hello"));
    pull_from(stick, sda);
    sleep_for(5_s);
    EXPECT_TRUE(said("waiting for it, 4:58 left"));
    here().clear_console();
    stick.pull_at(stick.steps() + 3, {});
    stick.plug();
    sleep_for(3_s);
    EXPECT_TRUE(said("waiting for it, 4:58 left"));
    bring_back(stick);
  });
}

TEST(row_6, the_same_stick_wakes_those_who_waited) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/first", "1"));
    pull_from(stick, sda);
    auto writer = spawn("writer", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.write("/mnt/second", "2"));
    });
    sleep_for(20_s);
    EXPECT_FALSE(writer.ended());
    bring_back(stick);
    writer.join();
    EXPECT_TRUE(said("blocks written in"));
    expect_on_medium(stick, process, "/second", "2");
  });
}

// --- 7: the wrong stick

TEST(row_7, a_different_stick_with_the_same_serial_is_a_new_volume) {
  medium wrong(mkfs_minix(image_blocks, 96));
  with_mounted_stick([&](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/hello.txt", "hello"));
    pull_from(stick, sda);
    plug_as(wrong, sdb);
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(wrong.count(block_command::write), 0u);
    EXPECT_TRUE(said("is not the missing"));
    bring_back(stick);
    expect_on_medium(stick, process, "/hello.txt", "hello");
  });
}

// To the byte the same, so nobody can tell: neither is written to.
TEST(row_7, two_twins_at_once_are_both_refused_until_one_is_pulled) {
  std::optional<medium> twin;
  with_mounted_stick([&](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/hello.txt", "hello"));
    pull_from(stick, sda);
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

// --- 13: two pulled, returned crosswise

TEST(row_13, two_sticks_come_back_in_the_other_order) {
  medium second(mkfs_minix(image_blocks, 96), "OTHER");
  with_mounted_stick([&](medium& stick, session& process) {
    plug_as(second, sdb);
    ASSERT_TRUE(process.mount("/dev/sdb", "/mnt2"));
    ASSERT_TRUE(process.write("/mnt/one", "1"));
    ASSERT_TRUE(process.write("/mnt2/two", "2"));
    pull_from(stick, sda);
    pull_from(second, sdb);
    plug_as(second, sdb);
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount("/mnt2"));
    EXPECT_TRUE(minix_image(second.durable()).has("/two"));
    EXPECT_FALSE(minix_image(second.durable()).has("/one"));
    expect_on_medium(stick, process, "/one", "1");
  });
}

// --- 14 and 16: given up

TEST(row_14, when_hold_is_over_the_files_are_named) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/notes.txt", sample_text(3'000, 1)));
    pull_from(stick, sda);
    sleep_for(301_s);
    EXPECT_EQ(state_of(sda), volume_state::dead);
    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(said("LOST: /mnt/notes.txt (")) << here().console();
    EXPECT_EQ(process.read("/mnt/notes.txt").error(), error::eio);
    EXPECT_EQ(process.umount().error(), error::eio) << "it says so, and goes";
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

TEST(row_16, a_stick_that_was_given_up_gets_no_old_blocks) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/notes.txt", "lost"));
    pull_from(stick, sda);
    sleep_for(301_s);
    EXPECT_EQ(process.umount().error(), error::eio);
    stick.clear_log();
    plug_as(stick, sda);
    sleep_for(10_s);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    EXPECT_TRUE(said("fsck"));
    ASSERT_TRUE(process.mount());
    EXPECT_EQ(process.read("/mnt/notes.txt").error(), error::enoent);
    EXPECT_TRUE(process.umount());
    EXPECT_NE(minix_image(stick.durable()).state() & 2, 0) << "marked as possibly damaged";
  });
}

// --- 17: the region is full

TEST(row_17, writers_wait_for_a_flush_and_lose_nothing) {
  with_mounted_stick(1, {.buffers = 512, .slots = 128}, [](medium& stick, session& process) {
    const std::string text = sample_text(200'000, 4);
    ASSERT_TRUE(process.write("/mnt/large", text));
    EXPECT_GT(stick.count(block_command::flush), 0u);
    expect_on_medium(stick, process, "/large", text);
  });
}

// --- 18 and 19: reads and writes meanwhile

TEST(row_18, a_read_of_an_uncached_block_waits_and_ends_by_a_signal) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", sample_text(50'000, 1)));
    ASSERT_TRUE(sys_sync());
    invalidate_unused_buffers(sda, [](dev_id, block_nr) { return false; });
    pull_from(stick, sda);
    auto reader = spawn("reader", [&] {
      session mine = process.fork();
      EXPECT_EQ(mine.read("/mnt/file").error(), error::eintr);
    });
    sleep_for(5_s);
    EXPECT_FALSE(reader.ended());
    reader.signal();
    reader.join();
    const instant before = now();
    EXPECT_EQ(process.read("/mnt/file").error(), error::eio);
    EXPECT_LE(now() - before, 31_s);
  });
}

TEST(row_19, a_new_write_waits_and_gives_up_after_io_wait) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_EQ(process.append("/mnt/file", "y").error(), error::eio);
    EXPECT_EQ(process.mkdir("/mnt/d").error(), error::eio);
    EXPECT_LE(now() - before, 62_s);
    bring_back(stick);
    expect_on_medium(stick, process, "/file", "x");
  });
}

// --- 20: whose the shadows are

TEST(row_20, they_outlive_the_process_that_wrote) {
  with_mounted_stick([](medium& stick, session& process) {
    spawn("writer", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.write("/mnt/will", "mine"));
    }).join();
    pull_from(stick, sda);
    sleep_for(60_s);
    bring_back(stick);
    expect_on_medium(stick, process, "/will", "mine");
  });
}

// --- 21: umount

TEST(row_21, umount_of_an_absent_stick_waits_interruptibly) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    pull_from(stick, sda);
    auto leaving = spawn("umount", [&] {
      session mine = process.fork();
      EXPECT_EQ(mine.umount().error(), error::eintr);
    });
    sleep_for(100_s);
    EXPECT_FALSE(leaving.ended());
    leaving.signal();
    leaving.join();
    bring_back(stick);
    expect_on_medium(stick, process, "/file", "x");
  });
}

TEST(row_21, umount_ends_well_when_the_stick_is_back) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    pull_from(stick, sda);
    auto leaving = spawn("umount", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.umount());
    });
    sleep_for(10_s);
    stick.plug();
    leaving.join();
    EXPECT_TRUE(minix_image(stick.durable()).has("/file"));
    EXPECT_EQ(minix_image(stick.durable()).state(), 1);
  });
}

TEST(row_21, umount_by_force_gives_the_blocks_up_aloud) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    pull_from(stick, sda);
    (void)process.umount("/mnt", true);
    EXPECT_TRUE(said("LOST"));
    EXPECT_EQ(state_of(sda), volume_state::none);
    EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size());
  });
}

TEST(row_21, umount_of_a_clean_absent_stick_succeeds) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(sys_sync());
    pull_from(stick, sda);
    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(process.umount());
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

// --- 22 and 23: sync and fsync

TEST(row_22, sync_skips_the_absent_one_and_writes_the_others) {
  medium second(mkfs_minix(image_blocks, 96), "OTHER");
  with_mounted_stick([&](medium& stick, session& process) {
    plug_as(second, sdb);
    ASSERT_TRUE(process.mount("/dev/sdb", "/mnt2"));
    ASSERT_TRUE(process.write("/mnt/one", "1"));
    ASSERT_TRUE(process.write("/mnt2/two", "2"));
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_TRUE(sys_sync());
    EXPECT_LT(now() - before, 5_s);
    EXPECT_TRUE(minix_image(second.durable()).has("/two"));
    EXPECT_TRUE(process.umount("/mnt2"));
  });
}

TEST(row_23, fsync_waits_at_most_io_wait_and_the_shadows_stay) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    file* f = open_file(process.context(), "/mnt/file", abi::o_rdwr, 0).value();
    pull_from(stick, sda);
    for (int i = 0; i < 2; ++i) {
      const instant before = now();
      EXPECT_EQ(sync_file(*f).error(), error::eio) << "the second time too";
      EXPECT_LE(now() - before, 31_s);
    }
    EXPECT_GT(held(), 0u);
    bring_back(stick);
    EXPECT_TRUE(sync_file(*f));
    EXPECT_TRUE(close_file(*f));
    expect_on_medium(stick, process, "/file", "x");
  });
}

TEST(row_23, after_the_end_every_descriptor_gets_eio) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    ASSERT_TRUE(process.write("/mnt/other", "x"));
    file* one = open_file(process.context(), "/mnt/file", abi::o_rdwr, 0).value();
    file* two = open_file(process.context(), "/mnt/other", abi::o_rdwr, 0).value();
    pull_from(stick, sda);
    sleep_for(301_s);
    for (file* f : {one, two}) {
      std::array<byte, 4> some{};
      EXPECT_EQ(sync_file(*f).error(), error::eio);
      EXPECT_EQ(sync_file(*f).error(), error::eio);
      EXPECT_EQ(read_file(*f, some).error(), error::eio);
      EXPECT_EQ(write_file(*f, some).error(), error::eio);
      EXPECT_EQ(close_file(*f).error(), error::eio);
    }
    EXPECT_EQ(process.umount().error(), error::eio);
  });
}

// --- 26: the others

TEST(row_26, other_disks_are_unaffected_throughout) {
  medium second(mkfs_minix(image_blocks, 96), "OTHER");
  with_mounted_stick([&](medium& stick, session& process) {
    plug_as(second, sdb);
    ASSERT_TRUE(process.mount("/dev/sdb", "/mnt2"));
    ASSERT_TRUE(process.write("/mnt/one", "1"));
    pull_from(stick, sda);
    auto stuck = spawn("stuck", [&] {
      session mine = process.fork();
      (void)mine.write("/mnt/two", "2");
    });
    const instant before = now();
    for (int i = 0; i < 20; ++i) {
      const std::string path = "/mnt2/" + std::to_string(i);
      ASSERT_TRUE(process.write(path, path));
      ASSERT_EQ(process.read(path), path);
      ASSERT_TRUE(process.sync_file(path));
    }
    EXPECT_LT(now() - before, 3_s);
    bring_back(stick);
    stuck.join();
    EXPECT_TRUE(process.umount("/mnt2"));
    EXPECT_EQ(minix_image(second.durable()).problem_text(), "");
  });
}

}  // namespace
