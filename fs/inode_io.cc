// read_inode, write_inode: an inode and its 32 bytes in the inode table (the book's inode.c and
// chapter 5.6).
#include "fs/inode_io.h"

#include <algorithm>
#include <cstring>

#include "fs/buffer/buffer.h"
#include "fs/super.h"

namespace {

// In bytes, of an inode in its block.
u32 offset_of(ino_nr number) {
  return (number.value() - 1u) % INODES_PER_BLOCK * static_cast<u32>(sizeof(d_inode));
}

inode_place place_in(const super_block& sb, ino_nr number) {
  const u32 index = number.value() - 1u;
  return {sb.inode_table() + index / INODES_PER_BLOCK, offset_of(number)};
}

constexpr u32 INODE_BLOCKS_AHEAD = 7;

// The block of the inode table that stores an inode. Neighbouring inodes are often read soon after,
// so the next blocks of the table are prefetched with it.
result<buffer_ref> read_inode_block(const super_block& sb, block_nr block) {
  if (buffer_ref cached = get_hash_table(sb.s_dev, block); cached && cached.head()->b_uptodate)
    return cached;
  const u32 end = sb.s_firstdatazone;
  const u32 last = std::min(block.value() + INODE_BLOCKS_AHEAD, end - 1);
  for (u32 next = block.value(); next <= last && start_read(sb.s_dev, block_nr{next}); ++next) {
  }
  return bread(sb.s_dev, block);
}

}  // namespace

inode_place place_of(const m_inode& inode) { return place_in(super_of(inode), inode.i_num); }

result<buffer_ref> read_block_of(const m_inode& inode) {
  return read_inode_block(super_of(inode), place_of(inode).block);
}

result<void> reach_inode(const super_block& sb, ino_nr number) {
  TRY(read_inode_block(sb, place_in(sb, number).block));
  return {};
}

d_inode to_disk(const m_inode& inode) {
  d_inode disk{};
  disk.i_mode = inode.i_mode;
  disk.i_uid = inode.i_uid;
  disk.i_size = inode.i_size;
  disk.i_mtime = inode.i_mtime;
  disk.i_gid = inode.i_gid;
  disk.i_nlinks = inode.i_nlinks;
  std::ranges::copy(inode.i_zone, disk.i_zone);
  return disk;
}

result<void> read_inode(m_inode& inode) {
  const inode_place place = place_of(inode);
  const buffer_ref buffer = TRY(read_inode_block(super_of(inode), place.block));
  const d_inode& disk = buffer.as<d_inode>(place.offset);
  if (disk.i_mode == 0 || disk.i_nlinks == 0) {
    if (super_block* sb = get_super(inode.i_dev))
      complain(*sb, "free inode in use", inode.i_num.value());
    return fail(error::eio);
  }
  inode.i_mode = disk.i_mode;
  inode.i_uid = disk.i_uid;
  inode.i_size = disk.i_size;
  inode.i_mtime = disk.i_mtime;
  inode.i_gid = disk.i_gid;
  inode.i_nlinks = disk.i_nlinks;
  std::ranges::copy(disk.i_zone, inode.i_zone.begin());
  return {};
}

result<void> write_inode(operation& op, m_inode& inode) {
  buffer_ref block = TRY(read_block_of(inode));
  return write_inode(op, inode, block);
}

result<void> write_inode(operation& op, m_inode& inode, buffer_ref& block) {
  op.about(inode.i_num, inode.i_path);
  return block.modify(op, offset_of(inode.i_num), sizeof(d_inode), [&](std::span<byte> bytes) {
    const d_inode disk = to_disk(inode);
    std::memcpy(bytes.data(), &disk, sizeof disk);
    inode.i_dirt = false;
  });
}
