// The two bitmaps: zones and inodes are given out and taken back (the book's bitmap.c).
#pragma once

#include <span>

#include "fs/checkpoint/operation.h"
#include "fs/inode.h"
#include "fs/super.h"

// What a block is filled with when it is allocated: `bytes` at `offset`, zeros elsewhere.
struct block_content {
  u32 offset = 0;
  std::span<const byte> bytes{};
};

// Errors: enospc, eio. new_block's block is filled, and dirty in the cache.
result<block_nr> new_block(operation& op, super_block& sb, m_inode& owner,
                           const block_content& content);
// Never fails towards its caller: damage is complained about.
void free_block(operation& op, super_block& sb, block_nr block);
// A new inode: one link, the caller's ids, now; it stands in no directory and must be written.
result<inode_ref> new_inode(operation& op, super_block& sb, u16 mode, u16 uid, u16 gid);
// Clears the inode on the disk and its bit.
void free_inode(operation& op, m_inode& inode);
struct free_counts {
  u32 zones, inodes;
};
result<free_counts> count_free(super_block& sb);
