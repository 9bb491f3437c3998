#include "tests/fs/replug/image_with_files.h"

#include <cstdio>

#include "fs/minix_format.h"
#include "tests/fs/minix_image.h"

namespace sim {
namespace {

template <class T>
T& at(std::vector<byte>& image, u32 block, u32 index = 0) {
  return reinterpret_cast<T*>(image.data() + size_t{block} * BLOCK_SIZE)[index];
}

void set_bit(std::vector<byte>& image, u32 block, u32 bit) {
  at<byte>(image, block, bit / 8) |= byte{1} << (bit % 8);
}

}  // namespace

std::vector<byte> image_with_files(u32 blocks, u32 inodes) {
  using entry = dir_entry<30>;
  constexpr u32 PER_ZONE = BLOCK_SIZE / sizeof(entry);
  std::vector<byte> image = mkfs_minix(blocks, inodes);
  const auto& super = at<d_super_block>(image, SUPER_BLOCK_NR.value());
  const u32 imap = SUPER_BLOCK_NR.value() + 1, zmap = imap + super.s_imap_blocks;
  const u32 table = zmap + super.s_zmap_blocks;
  auto& root = at<d_inode>(image, table);
  u32 entries = 2;
  for (u32 inode = INODES_PER_BLOCK / 2; inode <= inodes; inode += INODES_PER_BLOCK, ++entries) {
    set_bit(image, imap, inode);
    auto& file = at<d_inode>(image, table, inode - 1);
    file.i_mode = 0100644;
    file.i_nlinks = 1;
    const u32 zone = entries / PER_ZONE;
    root.i_zone[zone] = static_cast<u16>(super.s_firstdatazone + zone);
    set_bit(image, zmap, zone + 1);
    auto& added = at<entry>(image, root.i_zone[zone], entries % PER_ZONE);
    added.inode = static_cast<u16>(inode);
    std::snprintf(added.name, sizeof(added.name), "%u", entries - 1);
  }
  root.i_size = entries * static_cast<u32>(sizeof(entry));
  return image;
}

}  // namespace sim
