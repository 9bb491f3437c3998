// truncate: frees a file's blocks behind a new length (the book's truncate.c, which could only free
// all).
//
// A tree is a zone of the inode with the blocks below it. Trees completely behind the new length
// are freed with their indirect blocks. In the tree that contains the new end, the indirect blocks
// on the border stay and are edited, at most two. So one operation has room, however long the file
// is.
#include "fs/truncate.h"

#include <algorithm>

#include "fs/bitmap.h"
#include "fs/bmap.h"
#include "fs/buffer/buffer.h"
#include "fs/inode.h"
#include "fs/super.h"
#include "hal/clock.h"

namespace {

constexpr u32 entry_offset(u32 index) { return index * static_cast<u32>(sizeof(le16)); }
constexpr u32 blocks_of(u32 size) { return size / BLOCK_SIZE + (size % BLOCK_SIZE != 0); }

// How many blocks of a file belong to a tree with `level` levels of indirect blocks.
constexpr u32 span_of(u32 level) {
  u32 blocks = 1;
  while (level--) blocks *= ZONES_PER_BLOCK;
  return blocks;
}

class tree_cutter {
 public:
  tree_cutter(operation& op, m_inode& inode) : op_(op), inode_(inode), sb_(super_of(inode)) {}

  // Frees the blocks of the tree at `zone` except its first `keep` blocks of the file. Errors: eio
  // when an indirect block could not be read or changed. What it names stays in use: it is lost if
  // the indirect block is freed, which is reported as damage; otherwise it stays in the file.
  result<void> free_tree(u16 zone, u32 level, u32 keep) {
    if (zone == 0 || keep >= span_of(level)) return {};
    if (!sb_.is_data_zone(zone)) {
      complain(sb_, "zone out of range", zone);
      return fail(error::eio);
    }
    result<void> outcome;
    if (level > 0) outcome = free_entries(block_nr{zone}, level, keep);
    if (keep == 0) free_block(op_, sb_, block_nr{zone});
    return outcome;
  }

 private:
  result<void> free_entries(block_nr indirect, u32 level, u32 keep) {
    result<buffer_ref> buffer = bread(inode_.i_dev, indirect);
    if (!buffer) {
      if (keep == 0) complain(sb_, "lost zones of an indirect block", indirect.value());
      return fail(buffer.error());
    }
    const u32 span = span_of(level - 1);
    result<void> outcome;
    for (u32 i = keep / span; i < ZONES_PER_BLOCK; ++i) {
      const u32 keep_there = i == keep / span ? keep % span : 0;
      const u16 zone = buffer->as<le16>(entry_offset(i));
      // If nothing is kept, free_tree frees the indirect block itself.
      if (zone && keep > 0 && keep_there == 0) TRY(clear_entry(*buffer, i));
      if (auto freed = free_tree(zone, level - 1, keep_there); !freed) outcome = freed;
    }
    return outcome;
  }

  // Before the zone is freed: after an error in between, no file has a zone that is free.
  result<void> clear_entry(buffer_ref& indirect, u32 index) {
    op_.about(inode_.i_num, inode_.i_path);
    return indirect.modify(op_, entry_offset(index), sizeof(le16),
                           [](std::span<byte> entry) { std::ranges::fill(entry, byte{}); });
  }

  operation& op_;
  m_inode& inode_;
  super_block& sb_;
};

// Calls visit(zone, level, keep of its blocks) for the trees of a file of which only the first
// `keep` blocks are kept, until it returns an error.
template <class Visit>
result<void> for_each_tree(m_inode& inode, u32 keep, Visit visit) {
  u32 start = 0;  // the first file block of the tree at zone i
  for (u32 i = 0; i < NR_ZONES; ++i) {
    const u32 level = i < DIRECT_ZONES ? 0 : i - DIRECT_ZONES + 1;
    TRY(visit(inode.i_zone[i], level, keep > start ? keep - start : 0));
    start += span_of(level);
  }
  return {};
}

// Reads what free_tree will need. Zones out of range are left to it.
result<void> read_tree(m_inode& inode, u16 zone, u32 level, u32 keep) {
  if (zone == 0 || keep >= span_of(level)) return {};  // before the superblock is looked for
  super_block& sb = super_of(inode);
  if (!sb.is_data_zone(zone)) return {};
  if (keep == 0) TRY(read_zone_bit(sb, block_nr{zone}));
  if (level == 0) return {};
  const buffer_ref buffer = TRY(bread(inode.i_dev, block_nr{zone}));
  const u32 span = span_of(level - 1);
  for (u32 i = keep / span; i < ZONES_PER_BLOCK; ++i) {
    const u16 below = buffer.as<le16>(entry_offset(i));
    TRY(read_tree(inode, below, level - 1, i == keep / span ? keep % span : 0));
  }
  return {};
}

// Frees all blocks of the file except the first `keep`.
result<void> free_behind(operation& op, m_inode& inode, u32 keep) {
  tree_cutter cutter(op, inode);
  result<void> outcome;
  op.begin_step();
  inode.forget_zones();
  inode.i_dirt = true;  // from the first change on, for this sleeps
  static_cast<void>(for_each_tree(inode, keep, [&](u16& zone, u32 level, u32 keep_there) {
    if (auto freed = cutter.free_tree(zone, level, keep_there); !freed) outcome = freed;
    if (keep_there == 0) zone = 0;
    return result<void>();
  }));
  return outcome;
}

}  // namespace

result<void> read_before_freeing(m_inode& inode, u32 keep) {
  if (!inode.has_zones()) return {};
  return for_each_tree(inode, keep, [&](u16 zone, u32 level, u32 keep_there) {
    return read_tree(inode, zone, level, keep_there);
  });
}

result<void> zero_tail(operation& op, m_inode& inode, u32 size) {
  const u32 used = size % BLOCK_SIZE;
  if (used == 0) return {};
  const block_nr block = TRY(bmap(inode, size / BLOCK_SIZE));
  if (block == block_nr{}) return {};
  buffer_ref buffer = TRY(bread(inode.i_dev, block));
  const auto tail = buffer.data().subspan(used);
  if (std::ranges::all_of(tail, [](byte b) { return b == byte{}; })) return {};
  op.about(inode.i_num, inode.i_path);
  return buffer.modify(op, used, BLOCK_SIZE - used,
                       [](std::span<byte> bytes) { std::ranges::fill(bytes, byte{}); });
}

result<void> truncate(operation& op, m_inode& inode, u32 size) {
  if (!inode.has_zones()) return {};
  if (size > MAX_FILE_SIZE) return fail(error::efbig);
  result<void> outcome;
  if (size > inode.i_size) {
    TRY(zero_tail(op, inode, inode.i_size));
  } else {
    TRY(read_before_freeing(inode, blocks_of(size)));
    TRY(zero_tail(op, inode, size));
    outcome = free_behind(op, inode, blocks_of(size));
    // The old length stays: blocks behind the new one may still be in the file.
    if (!outcome && size > 0) return outcome;
  }
  inode.i_size = size;
  inode.i_mtime = current_time();
  inode.i_dirt = true;
  return outcome;
}
