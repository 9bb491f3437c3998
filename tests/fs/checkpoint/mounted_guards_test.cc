// The guards of the checkpoint (guards_test.cc) that need a mounted file system.
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// After a volume was given up, nothing that was cached of it is read.
TEST(guards, nothing_is_read_from_the_cache_of_a_dead_volume) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.hold = 10_s}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", "a"));
    ASSERT_TRUE(byte_of(sda, 1));
    pull_from(stick, sda);
    ASSERT_TRUE(byte_of(sda, 1)) << "cached reads go on while it is absent";
    await_state(sda, volume_state::dead);
    EXPECT_EQ(byte_of(sda, 1).error(), error::eio);
    EXPECT_EQ(fill_block(sda, 1, 0).error(), error::eio);
    static_cast<void>(process.umount());
  });
}

// A mounted stick, pulled with nothing unwritten; `tamper` is what another machine does to it
// meanwhile.
void expect_conflict(const std::function<void(session&)>& before,
                     const std::function<void(std::span<byte>)>& tamper) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.buffers = 64}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", pattern(5'000, 1)));
    ASSERT_TRUE(sys_sync());
    before(process);
    EXPECT_EQ(held(), 0u);
    pull_from(stick, sda);
    const std::vector<byte> as_it_was(stick.durable().begin(), stick.durable().end());
    tamper(stick.bytes());
    stick.clear_log();
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    stick.pull();
    sleep_for(1_s);
    std::ranges::copy(as_it_was, stick.bytes().begin());
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
}

constexpr size_t zone_map = size_t{3} * BLOCK_SIZE;
constexpr size_t inode_table = size_t{4} * BLOCK_SIZE;

TEST(guards, a_cached_bitmap_is_compared_though_nobody_uses_it) {
  expect_conflict([](session&) {},
                  [](std::span<byte> medium) { medium[zone_map + 20] |= byte{1}; });
}

// The block of the inode table is no longer in the cache, the inode itself is in use.
TEST(guards, an_inode_in_memory_is_compared) {
  expect_conflict(
      [](session&) {
        for (u32 block = 0; block < 100; ++block) ASSERT_TRUE(byte_of(sda, 200 + block));
        ASSERT_FALSE(get_hash_table(sda, block_nr{inode_table / BLOCK_SIZE}));
      },
      [](std::span<byte> medium) { medium[inode_table + 8] ^= byte{1}; });  // the root's mtime
}

// A write that waits in its middle has a dirty inode; sync leaves it alone.
TEST(guards, sync_does_not_wait_for_the_inodes_of_an_absent_stick) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.io_wait = 100_s}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", pattern(2'000, 1)));
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.sync_file("/mnt/a"));  // its inode is in memory now, its data are not
    stick.least_latency = stick.most_latency = 500_ms;
    auto writer = spawn("writer", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.write_at("/mnt/a", 0, pattern(1'500, 2)));
    });
    sleep_for(100_ms);
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_TRUE(sys_sync());
    EXPECT_LT(now() - before, 1_s);
    EXPECT_FALSE(writer.ended());
    plug_as(stick, sda);
    writer.join();
    EXPECT_TRUE(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
}

// The region must have a file's size with its data, so no operation leaves its inode for later.
TEST(guards, an_operation_ends_with_its_inode_in_its_buffer) {
  constexpr u32 first_file = 32, size_within = 4;  // the second inode; d_inode::i_size
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", pattern(100, 1)));
    ASSERT_TRUE(process.append("/mnt/a", pattern(50, 2)));
    EXPECT_EQ(byte_of(sda, inode_table / BLOCK_SIZE, first_file + size_within), 150);
    EXPECT_TRUE(process.umount());
  });
}

}  // namespace
