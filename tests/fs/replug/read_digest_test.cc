// What a mount reads of the metadata: the bitmaps, and the inodes that are in use.
#include <gtest/gtest.h>

#include "fs/buffer/write_buffers.h"
#include "fs/minix_format.h"
#include "fs/sync.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/files.h"
#include "tests/fs/minix_image.h"

namespace {

using namespace sim;

// Two blocks of inode bitmap and one of zone bitmap; 500 blocks of inodes follow.
constexpr u32 inodes = 16000, imap = 2, maps = 3, table_blocks = 500;

std::vector<byte> with_inode_in_use(u32 inode) {
  std::vector<byte> image = mkfs_minix(1000, inodes);
  image[imap * BLOCK_SIZE + inode / 8] |= byte{1} << (inode % 8);
  return image;
}

void mounted(medium& stick, const std::function<void(const checkpoint::metadata_digest&)>& body) {
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(sys_sync());
    body(*checkpoint::volume_of(sda)->digests.front());
    EXPECT_TRUE(process.umount());
  });
}

// On both sides of each border: of a block of inodes, of a word and of a block of the bitmap.
TEST(read_digest, knows_the_bitmaps_and_the_inodes_in_use) {
  for (const u32 inode : {2u, 31u, 32u, 33u, 63u, 64u, 65u, 8160u, 8161u, 8191u, 8192u, 8193u,
                          15968u, 15969u, 16000u}) {
    medium stick(with_inode_in_use(inode));
    mounted(stick, [&](const checkpoint::metadata_digest& digest) {
      ASSERT_EQ(digest.blocks(), maps + table_blocks);
      for (u32 i = 0; i < digest.blocks(); ++i) {
        const bool of_root = i == maps, of_inode = i == maps + (inode - 1) / INODES_PER_BLOCK;
        EXPECT_EQ(digest.is_known(i), i < maps || of_root || of_inode) << inode << ", block " << i;
      }
    });
  }
}

TEST(read_digest, knows_all_inodes_of_a_bitmap_that_cannot_be_read) {
  for (const u32 bad : {imap, imap + 1}) {
    medium stick(with_inode_in_use(2));
    stick.fault = [=](block_command cmd, lba at, u32 sectors) {
      const bool hit = at.value() < 2 * bad + 2 && at.value() + sectors > 2 * bad;
      return cmd == block_command::read && hit ? std::optional(error::eio) : std::nullopt;
    };
    mounted(stick, [&](const checkpoint::metadata_digest& digest) {
      EXPECT_FALSE(digest.is_known(bad - imap));
      const u32 from = bad == imap ? 0 : 256, to = bad == imap ? 256 : table_blocks;
      for (u32 i = from; i < to; ++i) EXPECT_TRUE(digest.is_known(maps + i)) << bad << " " << i;
    });
  }
}

// The bitmap is written and not durable: its bits, as the mount sees them, may be lost.
TEST(read_digest, knows_all_inodes_of_a_bitmap_that_is_held) {
  medium stick(mkfs_minix(1000, inodes));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(change_bytes(sda, imap, 100, 1, 0));
    ASSERT_TRUE(write_buffers(sda));
    ASSERT_TRUE(process.mount());
    const auto& digest = *checkpoint::volume_of(sda)->digests.front();
    EXPECT_TRUE(digest.is_known(maps + 100));
    EXPECT_FALSE(digest.is_known(maps + 300)) << "of the second block of the bitmap";
    EXPECT_TRUE(process.umount());
  });
}

// Inode 40's block has no inode in use at the mount: nothing is known of it, but of its bit.
TEST(read_digest, finds_a_new_file_where_no_inode_was_in_use) {
  medium stick(mkfs_minix(1000, inodes));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    write_and_pull(stick, process, "/mnt/file", "x");
    byte& bits = stick.bytes()[imap * BLOCK_SIZE + 40 / 8];
    bits |= byte{1} << (40 % 8);
    EXPECT_FALSE(is_taken_back(stick));
    bits &= ~(byte{1} << (40 % 8));
    plug_as(stick, sda);
    expect_on_medium(stick, process, "/file", "x");
  });
}

// A superblock may claim more bitmap blocks than the digest has room for; the rest is moved behind.
TEST(read_digest, ends_before_the_end_of_a_huge_bitmap) {
  constexpr u32 claimed = 3000, moved = claimed - 2, first_zone = 3600;
  std::vector<byte> image = mkfs_minix(8000, inodes);
  const auto block = [&](u32 nr) { return image.begin() + nr * BLOCK_SIZE; };
  auto& super = reinterpret_cast<d_super_block&>(*block(1));
  ASSERT_EQ(super.s_imap_blocks, 2u);
  const u32 table = imap + maps, old_first_zone = super.s_firstdatazone;
  std::copy_backward(block(imap + 2), block(table + table_blocks),
                     block(table + table_blocks + moved));
  std::copy_n(block(old_first_zone), BLOCK_SIZE, block(first_zone));
  super.s_imap_blocks = claimed;
  super.s_firstdatazone = first_zone;
  reinterpret_cast<d_inode&>(*block(table + moved)).i_zone[0] = first_zone;
  medium stick(image);
  mounted(stick, [&](const checkpoint::metadata_digest& digest) {
    EXPECT_EQ(digest.blocks(), checkpoint::metadata_digest::MOST_BLOCKS);
    EXPECT_TRUE(digest.is_known(digest.blocks() - 1));
  });
}

}  // namespace
