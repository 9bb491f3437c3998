// The comparison of a stick that returns (fs/replug/verify.h): each of its reads must succeed, and
// each byte that it can know must be as it was.
#include <gtest/gtest.h>

#include "fs/medium_check.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// A mounted stick that is away, with a file that it has and one that is held for it.
void with_absent_stick(const std::function<void(medium&, session&)>& body) {
  with_mounted_stick([&](medium& stick, session& process) {
    ASSERT_TRUE(process.mkdir("/mnt/directory"));
    ASSERT_TRUE(process.write("/mnt/directory/old", "old"));
    ASSERT_TRUE(sys_sync());
    ASSERT_TRUE(process.overwrite("/mnt/directory/old", "new"));
    ASSERT_TRUE(process.write("/mnt/file", "content"));
    pull_from(stick, sda, {.loss = cache_loss::none});
    sleep_for(1_s);
    body(stick, process);
    sleep_for(1_s);
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/file", "content");
    EXPECT_EQ(minix_image(stick.durable()).files().at("/directory/old").content, "new");
  });
}

// Lets the first, the second … read of a return fail, and each repetition of it, until none is left
// to fail; calls `before` each time. Returns how many kept the stick out: those of the fingerprint
// do not, nor does the partition table.
int fail_each_read(
    medium& stick, const std::function<void()>& before = [] {}) {
  int failed_reads = 0, needed = 0;
  for (bool fails = true; fails; ++failed_reads) {
    stick.fault = nullptr;
    before();
    int reads = 0;
    std::optional<lba> bad;
    stick.fault = [&](block_command cmd, lba first, u32) {
      if (cmd == block_command::read && ++reads == failed_reads + 1) bad = first;
      return cmd == block_command::read && bad == first ? std::optional(error::eio) : std::nullopt;
    };
    const bool taken = is_taken_back(stick);
    fails = reads > failed_reads;
    EXPECT_TRUE(taken || fails) << "read " << failed_reads + 1 << " of " << reads;
    needed += !taken;
  }
  stick.fault = nullptr;
  return needed;
}

TEST(comparisons, need_every_read) {
  with_absent_stick([](medium& stick, session& process) {
    const auto fill_the_set = [&] {
      plug_as(stick, sda);
      ASSERT_TRUE(sys_sync());
      ASSERT_TRUE(process.write("/mnt/other", "x"));
      pull_from(stick, sda, {.loss = cache_loss::none});
    };
    EXPECT_GE(fail_each_read(stick, fill_the_set), 2) << "geometry, the set";
  });
}

// Without a digest the buffers and inodes in memory are compared with the stick's.
TEST(comparisons, need_every_read_of_an_inode) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "content"));
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
    ASSERT_EQ(process.read("/mnt/file"), "content");
    pull_from(stick, sda);
    sleep_for(1_s);
    EXPECT_GE(fail_each_read(stick), 3) << "geometry, buffers, inodes";
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

// What is on the stick at these places is in memory: a byte of it that differs is noticed.
TEST(comparisons, notice_each_byte_that_is_known) {
  with_absent_stick([](medium& stick, session&) {
    std::vector<u32> places;
    const auto block_at = [&](u32 block, u32 offset) {
      places.push_back(block * BLOCK_SIZE + offset);
    };
    block_at(GEOMETRY_BLOCK.value(), 0);  // how many inodes
    block_at(GEOMETRY_BLOCK.value(), 2);  // how many zones
    block_at(2, 0);                       // the bitmaps
    block_at(2, 500);
    block_at(3, 0);
    block_at(3, 1023);
    for (u32 i = 0; i < 2 * 32; ++i) block_at(4, i);  // the inodes of / and /directory
    for (const checkpoint::slot& s : checkpoint::volume_of(sda)->set) {
      if (!s.base_known) continue;
      for (u32 offset : {0u, 511u, 512u, 1023u}) block_at(s.block.value(), offset);
    }
    EXPECT_GT(places.size(), 80u);
    for (u32 place : places) {
      stick.bytes()[place] ^= byte{0x40};
      EXPECT_FALSE(is_taken_back(stick)) << "byte " << place;
      stick.bytes()[place] ^= byte{0x40};
    }
  });
}

// Mounted for reading there is no digest: the bitmaps and the inode table are compared with their
// buffers, though no task uses them.
TEST(comparisons, notice_changed_metadata_of_a_stick_mounted_for_reading) {
  constexpr size_t last_inode_of_a_block = 4 * BLOCK_SIZE + BLOCK_SIZE - 1;
  medium stick(mkfs_minix(mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
    pull_from(stick, sda);
    stick.bytes()[last_inode_of_a_block] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    stick.pull();
    stick.bytes()[last_inode_of_a_block] ^= byte{1};
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
}

// While the stick is compared, another task takes buffers of it that are free for blocks of another
// stick.
TEST(comparisons, leave_out_a_buffer_that_is_given_to_another_block) {
  for_each_seed(60, [](u64 seed) {
    medium stick(mkfs_minix(mounted_blocks)), other(numbered_image(), "OTHER");
    run(seed, [&] {
      session process(boot_with_root({.buffers = 64}));
      plug_as(stick, sda);
      ASSERT_TRUE(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
      plug_as(other, sdb);
      pull_from(stick, sda);
      stick.least_latency = stick.most_latency = 20_ms;
      other.least_latency = other.most_latency = 50_us;
      stick.plug();
      fiber reader = spawn("reader", [] {
        sleep_for(duration{static_cast<i64>(random_below(400'000'000))});
        for (u32 i = 0; i < 200; ++i) EXPECT_EQ(byte_of(sdb, i), static_cast<u8>(i));
      });
      await_state(sda, volume_state::live);
      reader.join();
      EXPECT_FALSE(said("changed elsewhere"));
    });
  });
}

}  // namespace
