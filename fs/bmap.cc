// bmap and create_block: from a block of a file to a block of the device (in the book's inode.c).
// bmap itself (bmap.h) answers from the run found last; this file walks the zone numbers.
//
// The inode stores the zone numbers of the first seven blocks. The indirect block i_zone[7] stores
// those of the next 512. The double indirect block i_zone[8] stores the numbers of 512 indirect
// blocks, for the rest of the file. Every zone number that comes from the disk is checked before it
// is used.
#include "fs/bmap.h"

#include <algorithm>

#include "fs/bitmap.h"
#include "fs/buffer/buffer.h"
#include "fs/inode.h"
#include "fs/super.h"

namespace {

constexpr u32 LONGEST_RUN = 32;  // bounds the time of one look_up_block

// Where a zone number is stored: in i_zone[root] (depth 0), or behind it in entry index[0] of an
// indirect block (depth 1), or in entry index[1] of the block that entry index[0] names (depth 2).
struct zone_path {
  u32 root;
  u32 depth;  // how many indirect blocks
  std::array<u32, 2> index;
};

result<zone_path> path_of(u32 file_block) {
  if (file_block < DIRECT_ZONES) return zone_path{file_block, 0, {}};
  file_block -= DIRECT_ZONES;
  if (file_block < ZONES_PER_BLOCK) return zone_path{DIRECT_ZONES, 1, {file_block}};
  file_block -= ZONES_PER_BLOCK;
  if (file_block >= ZONES_PER_BLOCK * ZONES_PER_BLOCK) return fail(error::efbig);
  return zone_path{
      DIRECT_ZONES + 1, 2, {file_block / ZONES_PER_BLOCK, file_block % ZONES_PER_BLOCK}};
}

constexpr u32 entry_offset(u32 index) { return index * static_cast<u32>(sizeof(le16)); }

// Checks a zone number from the disk; block_nr{} for a hole. Errors: eio when it is out of range.
result<block_nr> checked(super_block& sb, u16 zone) {
  if (zone == 0 || sb.is_data_zone(zone)) return block_nr{zone};
  complain(sb, "zone out of range", zone);
  return fail(error::eio);
}

// How many zones, from entry `index` of an indirect block on, follow each other on the device: at
// most LONGEST_RUN.
u32 run_length(const super_block& sb, const buffer_ref& indirect, u32 index) {
  const auto zone_at = [&](u32 i) { return u16{indirect.as<le16>(entry_offset(i))}; };
  const u32 end = std::min(index + LONGEST_RUN, ZONES_PER_BLOCK);
  u32 next = index + 1;
  while (next < end && zone_at(next) == zone_at(next - 1) + 1 && sb.is_data_zone(zone_at(next)))
    ++next;
  return next - index;
}

u16 as_zone(block_nr block) { return static_cast<u16>(block.value()); }

// The zone in entry `index` of an indirect block. If the entry is empty, a new block is allocated,
// filled with `content`, and its number is stored there.
result<created_block> create_entry(operation& op, super_block& sb, m_inode& inode,
                                   block_nr indirect, u32 index, const block_content& content) {
  buffer_ref buffer = TRY(bread(inode.i_dev, indirect));
  const block_nr old = TRY(checked(sb, buffer.as<le16>(entry_offset(index))));
  if (old != block_nr{}) return created_block{old, false};
  const block_nr block = TRY(new_block(op, sb, inode, content));
  op.about(inode.i_num, inode.i_path);
  const result<void> linked = buffer.modify(
      op, entry_offset(index), sizeof(le16),
      [&](std::span<byte> entry) { *reinterpret_cast<le16*>(entry.data()) = as_zone(block); });
  if (!linked) {
    free_block(op, sb, block);
    return fail(linked.error());
  }
  return created_block{block, true};
}

// The same for a zone number in the inode itself.
result<created_block> create_root(operation& op, super_block& sb, m_inode& inode, u32 root,
                                  const block_content& content) {
  const block_nr old = TRY(checked(sb, inode.i_zone[root]));
  if (old != block_nr{}) return created_block{old, false};
  const block_nr block = TRY(new_block(op, sb, inode, content));
  inode.i_zone[root] = as_zone(block);
  inode.i_dirt = true;
  return created_block{block, true};
}

// The indirect block that stores the zone number of `file_block`, allocated if it is missing.
// i_table remembers the last one, so a sequential writer does not walk from the inode for each
// block.
result<block_nr> create_table(operation& op, super_block& sb, m_inode& inode, const zone_path& path,
                              u32 file_block) {
  const u32 first_of_table = file_block - path.index[path.depth - 1];
  zone_table& last_used = inode.i_table;
  const bool known = last_used.number != block_nr{} && last_used.file_block == first_of_table;
  if (known) return last_used.number;
  const block_content empty;
  created_block at = TRY(create_root(op, sb, inode, path.root, empty));
  if (path.depth == 2) at = TRY(create_entry(op, sb, inode, at.number, path.index[0], empty));
  last_used = {first_of_table, at.number};
  return at.number;
}

}  // namespace

result<block_nr> look_up_block(m_inode& inode, u32 file_block) {
  const zone_path path = TRY(path_of(file_block));
  super_block& sb = super_of(inode);
  block_nr block = TRY(checked(sb, inode.i_zone[path.root]));
  for (u32 level = 0; level < path.depth && block != block_nr{}; ++level) {
    const buffer_ref indirect = TRY(bread(inode.i_dev, block));
    const u32 index = path.index[level];
    block = TRY(checked(sb, indirect.as<le16>(entry_offset(index))));
    if (level + 1 == path.depth && block != block_nr{})
      inode.i_run = {file_block, block, run_length(sb, indirect, index)};
  }
  return block;
}

u32 end_of_map(u32 file_block) {
  if (file_block < DIRECT_ZONES) return DIRECT_ZONES;
  return file_block + ZONES_PER_BLOCK - (file_block - DIRECT_ZONES) % ZONES_PER_BLOCK;
}

result<block_nr> map_of(m_inode& inode, u32 file_block) {
  const zone_path path = TRY(path_of(file_block));
  super_block& sb = super_of(inode);
  const block_nr root = TRY(checked(sb, inode.i_zone[path.root]));
  if (path.depth < 2 || root == block_nr{}) return path.depth ? root : block_nr{};
  const buffer_ref indirect = TRY(bread(inode.i_dev, root));
  return checked(sb, indirect.as<le16>(entry_offset(path.index[0])));
}

result<created_block> create_block(operation& op, m_inode& inode, u32 file_block,
                                   const block_content& content) {
  const zone_path path = TRY(path_of(file_block));
  super_block& sb = super_of(inode);
  if (path.depth == 0) return create_root(op, sb, inode, path.root, content);
  const block_nr table = TRY(create_table(op, sb, inode, path, file_block));
  return create_entry(op, sb, inode, table, path.index[path.depth - 1], content);
}
