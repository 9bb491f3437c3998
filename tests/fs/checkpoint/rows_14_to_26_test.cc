// The rows 14 to 26 of the semantics table (docs/checkpoint.md): given up, a full region, and what
// system calls do meanwhile.
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/buffer/invalidate.h"
#include "fs/checkpoint/region.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// --- 14 and 16: given up

TEST(row_14, when_hold_is_over_the_files_are_named) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/notes.txt", pattern(3'000, 1));
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
    write_and_pull(stick, process, "/mnt/notes.txt", "lost");
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
    const std::string text = pattern(200'000, 4);
    ASSERT_TRUE(process.write("/mnt/large", text));
    EXPECT_GT(stick.count(block_command::flush), 0u);
    expect_on_medium(stick, process, "/large", text);
  });
}

// --- 18 and 19: reads and writes meanwhile

TEST(row_18, a_read_of_an_uncached_block_waits_and_ends_by_a_signal) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", pattern(50'000, 1)));
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
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
    write_and_pull(stick, process, "/mnt/file", "x");
    const instant before = now();
    EXPECT_EQ(process.append("/mnt/file", "y").error(), error::eio);
    EXPECT_EQ(process.mkdir("/mnt/d").error(), error::eio);
    EXPECT_LE(now() - before, 62_s);
    plug_as(stick, sda);
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
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/will", "mine");
  });
}

// --- 21: umount

TEST(row_21, umount_of_an_absent_stick_waits_interruptibly) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
    auto leaving = spawn("umount", [&] {
      session mine = process.fork();
      EXPECT_EQ(mine.umount().error(), error::eintr);
    });
    sleep_for(100_s);
    EXPECT_FALSE(leaving.ended());
    leaving.signal();
    leaving.join();
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/file", "x");
  });
}

TEST(row_21, umount_ends_well_when_the_stick_is_back) {
  with_mounted_stick([](medium& stick, session& process) {
    write_and_pull(stick, process, "/mnt/file", "x");
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
    write_and_pull(stick, process, "/mnt/file", "x");
    (void)process.umount("/mnt", true);
    EXPECT_TRUE(said("LOST"));
    EXPECT_EQ(state_of(sda), volume_state::none);
    EXPECT_EQ(checkpoint::unreserved(), checkpoint::region_size());
  });
}

// It is there, and refuses the blocks: they are not lost yet.
TEST(row_21, umount_by_force_of_a_stick_that_refuses_names_what_is_kept) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "x"));
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    EXPECT_EQ(process.umount(), fail(error::eio)) << "it stays mounted";
    const size_t told = here().console().size();
    EXPECT_EQ(process.umount("/mnt", true), fail(error::eio));
    EXPECT_NE(here().console().find("Kept: /mnt/file (", told), std::string::npos);
    EXPECT_FALSE(process.read("/mnt/file"));
    stick.fault = nullptr;
    EXPECT_TRUE(sys_sync());
    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(minix_image(stick.durable()).has("/file"));
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
  with_two_mounted_sticks([](medium& stick, medium& second, session& process) {
    ASSERT_TRUE(process.write("/mnt/one", "1"));
    write_and_pull(stick, process, "/mnt2/two", "2");
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
    plug_as(stick, sda);
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
      EXPECT_EQ(read_open_file(*f, some).error(), error::eio);
      EXPECT_EQ(write_open_file(*f, some).error(), error::eio);
      EXPECT_EQ(close_file(*f).error(), error::eio);
    }
    EXPECT_EQ(process.umount().error(), error::eio);
  });
}

// --- 24: the power goes

// The stick's power goes with the machine's: its cache is lost as well.
TEST(row_24, a_power_cut_takes_the_region_and_leaves_what_was_synced) {
  std::vector<byte> then;
  with_mounted_stick([&](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/synced", pattern(3'000, 1)));
    ASSERT_TRUE(sys_sync());
    ASSERT_TRUE(process.write("/mnt/held", pattern(3'000, 2)));
    EXPECT_GT(held(), 0u);
    pull_from(stick, sda, {.loss = cache_loss::all});
    then.assign(stick.durable().begin(), stick.durable().end());
  });
  medium stick(then);
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    sleep_for(10_s);
    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(std::ranges::equal(then, stick.durable()));
    ASSERT_TRUE(process.mount());
    EXPECT_EQ(process.read("/mnt/synced"), pattern(3'000, 1));
    EXPECT_EQ(process.read("/mnt/held").error(), error::enoent);
  });
}

// --- 26: the others

TEST(row_26, other_disks_are_unaffected_throughout) {
  with_two_mounted_sticks([](medium& stick, medium& second, session& process) {
    write_and_pull(stick, process, "/mnt/one", "1");
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
    plug_as(stick, sda);
    stuck.join();
    EXPECT_TRUE(process.umount("/mnt2"));
    EXPECT_EQ(minix_image(second.durable()).problem_text(), "");
  });
}

}  // namespace
