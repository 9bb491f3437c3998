// How much is asked for, to the block: a reader that jumps gets the blocks of its call in one
// command, and no other block, whether it reads a file or the disk.
#include <gtest/gtest.h>

#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

u32 blocks_read(const medium& stick) {
  u32 sectors = 0;
  for (const command_record& command : stick.log())
    if (command.cmd == block_command::read) sectors += command.sectors;
  return sectors / SECTORS_PER_BLOCK;
}

// Jumps backwards in `f`, whose last byte is at `size`, and reads pieces that begin and end
// anywhere in their blocks; each piece is read for the first time.
void jump_back(const opened& f, medium& stick, u32 size) {
  u32 end = size;
  for (u32 cut : {0u, 1u, 2u, 1022u, 1023u})
    for (u32 offset : {0u, 1u, 1023u})
      for (u32 blocks : {1u, 2u, 5u}) {
        end -= cut;
        const u32 last = (end - 1) / BLOCK_SIZE, first = last - (blocks - 1);
        const u32 start = std::min(first * BLOCK_SIZE + offset, end - 1);
        stick.clear_log();
        EXPECT_OK(seek_file(*f, static_cast<i32>(start), abi::seek_set));
        EXPECT_EQ(f.read(end - start)->size(), end - start);
        EXPECT_EQ(blocks_read(stick), blocks) << start << " to " << end;
        EXPECT_EQ(stick.count(block_command::read), 1u) << start << " to " << end;
        end = (first - 2) * BLOCK_SIZE;
      }
}

TEST(read_ahead_limits, of_a_file) {
  for (u32 size : {510u * 1024, 510u * 1024 - 1, 510u * 1024 - 1023}) {
    medium stick(mkfs_minix(4096));
    run(1, [&] {
      session process(boot_with_root({.buffers = 1024, .slots = 1024}));
      plug_as(stick, sda);
      EXPECT_OK(process.mount());
      EXPECT_OK(process.write("/mnt/f", pattern(size)));
      EXPECT_OK(process.umount());
      EXPECT_OK(process.mount());
      {
        const opened f(process.context(), "/mnt/f", abi::o_rdonly);
        EXPECT_OK(seek_file(*f, 20 * 1024, abi::seek_set));
        EXPECT_OK(f.read(1));  // its indirect block is in the cache from now on
        jump_back(f, stick, size);
      }
      EXPECT_OK(process.umount());
    });
  }
}

TEST(read_ahead_limits, of_a_disk) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.buffers = 1024, .slots = 1024}));
    plug_as(stick, sda);
    {
      const opened f(process.context(), "/dev/sda", abi::o_rdonly);
      EXPECT_OK(seek_file(*f, 5 * 1024, abi::seek_set));
      EXPECT_OK(f.read(1));
      jump_back(f, stick, 400 * 1024);
    }
  });
}

// What is behind the end is not asked for, however large the window is.
TEST(read_ahead_limits, end_with_the_file) {
  for (u32 blocks : {1u, 6u, 7u}) {
    medium stick(mkfs_minix(400));
    run(1, [&] {
      session process(boot_with_root({.buffers = 1024, .slots = 1024}));
      plug_as(stick, sda);
      EXPECT_OK(process.mount());
      EXPECT_OK(process.write("/mnt/f", pattern(blocks * 1024)));
      EXPECT_OK(process.write("/mnt/g", pattern(50'000)));
      EXPECT_OK(process.umount());
      EXPECT_OK(process.mount());
      {
        const opened f(process.context(), "/mnt/f", abi::o_rdonly);
        stick.clear_log();
        EXPECT_OK(f.read(1));
        sleep_for(1_s);
        EXPECT_EQ(blocks_read(stick), blocks);
        EXPECT_EQ(stick.count(block_command::read), 1u);
        EXPECT_EQ(f.read(blocks * 1024)->size(), blocks * 1024 - 1);
        EXPECT_EQ(blocks_read(stick), blocks);
      }
      EXPECT_OK(process.umount());
    });
  }
}

// The end of a disk: what is read up to it comes, and a window that reaches behind it is cut.
TEST(read_ahead_limits, end_with_the_disk) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.buffers = 1024, .slots = 1024}));
    plug_as(stick, sda);
    {
      const opened f(process.context(), "/dev/sda", abi::o_rdonly);
      EXPECT_OK(seek_file(*f, 2 * 1024, abi::seek_set));
      stick.clear_log();
      u32 read = 2 * 1024;
      while (const u32 size = static_cast<u32>(f.read(3000)->size())) read += size;
      EXPECT_EQ(read, 400u * 1024);
      EXPECT_LE(blocks_read(stick), 399u) << "each block once";
      EXPECT_EQ(seek_file(*f, 0, abi::seek_cur), 400 * 1024u);
    }
    {
      const opened f(process.context(), "/dev/sda", abi::o_rdwr);
      EXPECT_EQ(seek_file(*f, -10, abi::seek_end), 400 * 1024u - 10);
      EXPECT_EQ(f.write(pattern(100)), 10u) << "as much as there is room";
      EXPECT_ERROR(error::enospc, f.write("x"));
      EXPECT_EQ(f.write(""), 0u);
      EXPECT_OK(seek_file(*f, -10, abi::seek_end));
      EXPECT_EQ(f.read(100), pattern(10));
      EXPECT_EQ(f.read(100), "");
    }
  });
}

}  // namespace
