// A stick that was given up with blocks unwritten is marked for fsck when it is mounted again: that
// stick, and no other one of its model.
#include <gtest/gtest.h>

#include "fs/buffer/write_buffers.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;

constexpr u16 errors_found = 2;

void lose_notes(medium& stick, session& process) {
  write_and_pull(stick, process, "/mnt/notes.txt", "lost");
  sleep_for(301_s);
  EXPECT_EQ(process.umount(), fail(error::eio));
}

TEST(tombstones, a_mount_for_reading_leaves_the_mark_to_the_next_one) {
  with_mounted_stick([](medium& stick, session& process) {
    lose_notes(stick, process);
    plug_as(stick, sda);
    ASSERT_TRUE(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(process.mount());
    EXPECT_NE(minix_image(stick.durable()).state() & errors_found, 0) << "durable at once";
    EXPECT_TRUE(process.umount());
    EXPECT_NE(minix_image(stick.durable()).state() & errors_found, 0);
  });
}

TEST(tombstones, mark_no_other_stick_of_the_model) {
  medium innocent(mkfs_minix(mounted_blocks, 96));
  with_mounted_stick([&](medium& stick, session& process) {
    lose_notes(stick, process);
    plug_as(innocent, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.umount());
    EXPECT_EQ(minix_image(innocent.durable()).state() & errors_found, 0);
    innocent.pull();
    sleep_for(1_s);
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.umount());
    EXPECT_NE(minix_image(stick.durable()).state() & errors_found, 0) << "the mark is kept for it";
  });
}

// The lost block stands at one of the places by which a stick is known, and had reached it.
TEST(tombstones, know_the_stick_by_the_other_places) {
  with_stick([](medium& stick) {
    constexpr u32 place = numbered_blocks / 4;
    ASSERT_TRUE(fill_block(sda, place, 0x55));
    ASSERT_TRUE(write_buffers(sda));
    pull_from(stick, sda, {.loss = cache_loss::none});
    sleep_for(301_s);
    EXPECT_TRUE(said("LOST"));
    EXPECT_TRUE(block_is(stick.durable(), place, 0x55));
    here().clear_console();
    plug_as(stick, sda);
    EXPECT_TRUE(said("it was given up with 1 blocks unwritten"));
  });
}

// What was lost may have reached the stick or not: that it differs there is no alibi.
TEST(tombstones, know_the_stick_whatever_of_the_lost_blocks_has_reached_it) {
  for_each_seed(20, [](u64 seed) {
    with_mounted_stick(seed, {}, [](medium& stick, session& process) {
      ASSERT_TRUE(process.write("/mnt/notes.txt", "lost"));
      spawn("sync", [] { static_cast<void>(sys_sync()); });
      stick.pull_at(stick.steps() + 1 + random_below(10), {});
      sleep_for(1_s);
      if (stick.plugged()) return;
      const bool loses = held() > 0;
      sleep_for(301_s);
      static_cast<void>(process.umount());
      plug_as(stick, sda);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.umount());
      EXPECT_EQ((minix_image(stick.durable()).state() & errors_found) != 0, loses);
    });
  });
}

}  // namespace
