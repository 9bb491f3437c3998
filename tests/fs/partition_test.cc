// A file system on a partition: its end is the partition's, and after an absence its blocks are
// compared where the partition lies.
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/medium_check.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;

constexpr dev_id sda1(8, 1);
constexpr u32 first_block = 16;  // of the partition, on the disk

// A disk with one partition of so many blocks, which begins with this file system. Behind the
// partition, the disk has as many blocks again.
std::vector<byte> disk_with_partition(const std::vector<byte>& file_system, u32 blocks) {
  std::vector<byte> disk((first_block + 2 * blocks) * size_t{BLOCK_SIZE});
  byte* entry = disk.data() + 446;
  entry[4] = byte{0x81};
  entry[8] = byte{first_block * SECTORS_PER_BLOCK};
  const u32 sectors = blocks * SECTORS_PER_BLOCK;
  entry[12] = static_cast<byte>(sectors & 0xFF);
  entry[13] = static_cast<byte>(sectors >> 8);
  disk[510] = byte{0x55};
  disk[511] = byte{0xAA};
  std::ranges::copy(file_system, disk.begin() + first_block * BLOCK_SIZE);
  return disk;
}

std::span<const byte> partition_of(const medium& stick) {
  return stick.durable().subspan(first_block * BLOCK_SIZE, mounted_blocks * BLOCK_SIZE);
}

error outcome_of_mount(u32 blocks_of_partition) {
  medium stick(disk_with_partition(mkfs_minix(mounted_blocks), blocks_of_partition));
  error outcome{};
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    outcome = error_of(process.mount("/dev/sda1", "/mnt"));
    if (outcome == error{}) EXPECT_OK(process.umount());
  });
  return outcome;
}

TEST(partitions, end_behind_the_file_system) {
  EXPECT_EQ(outcome_of_mount(mounted_blocks), error{});
  EXPECT_EQ(outcome_of_mount(mounted_blocks - 1), error::einval);
}

// The bitmaps, the inodes of the root and of /directory, and the block of /directory.
std::vector<u32> known_places(const super_block& sb) {
  std::vector<u32> places;
  const auto in_block = [&](u32 block, u32 offset) {
    places.push_back((first_block + block) * BLOCK_SIZE + offset);
  };
  in_block(GEOMETRY_BLOCK.value(), 0);
  for (u32 map : {2u, 3u})
    for (u32 offset : {0u, 500u, 1023u}) in_block(map, offset);
  for (u32 offset = 0; offset < 2 * sizeof(d_inode); offset += 5)
    in_block(sb.inode_table().value(), offset);
  return places;
}

void expect_all_places_compared(medium& stick) {
  for (const u32 place : known_places(*get_super(sda1))) {
    stick.bytes()[place] ^= byte{0x40};
    EXPECT_FALSE(is_taken_back(stick)) << "byte " << place;
    stick.bytes()[place] ^= byte{0x40};
  }
}

void with_mounted_partition(const std::function<void(medium&, session&)>& body) {
  medium stick(disk_with_partition(mkfs_minix(mounted_blocks), mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount("/dev/sda1", "/mnt"));
    ASSERT_TRUE(process.mkdir("/mnt/directory"));
    ASSERT_TRUE(sys_sync());
    body(stick, process);
    plug_as(stick, sda);
    EXPECT_OK(process.umount());
  });
  EXPECT_EQ(minix_image(partition_of(stick)).problem_text(), "");
}

TEST(partitions, are_compared_where_they_lie) {
  with_mounted_partition([](medium& stick, session&) {
    pull_from(stick, sda);
    sleep_for(1_s);
    expect_all_places_compared(stick);
    EXPECT_TRUE(is_taken_back(stick)) << "unchanged";
  });
}

TEST(partitions, are_compared_and_get_what_is_held) {
  with_mounted_partition([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "content"));
    pull_from(stick, sda, {.loss = cache_loss::none});
    sleep_for(1_s);
    expect_all_places_compared(stick);
    plug_as(stick, sda);
    ASSERT_TRUE(sys_sync());
    EXPECT_EQ(minix_image(partition_of(stick)).files().at("/file").content, "content");
    pull_from(stick, sda);
    sleep_for(1_s);
  });
}

}  // namespace
