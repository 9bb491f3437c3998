// The two bitmaps: zones and inodes are given out and taken back (the book's bitmap.c).
#pragma once

#include <span>

#include "fs/checkpoint/operation.h"
#include "fs/inode.h"
#include "fs/super.h"

// The content of a newly allocated block: `bytes` at `offset` (in bytes), zeros elsewhere.
struct block_content {
  u32 offset = 0;
  std::span<const byte> bytes{};
};

// All functions of this file may sleep; those that change something run inside `op`.

// Allocates a free zone, the first from the bitmap's hint on, and fills it: afterwards its buffer
// is dirty. Linking the block into the file is left to the caller. Errors: enospc, eio, eintr.
result<block_nr> new_block(operation& op, super_block& sb, m_inode& owner,
                           const block_content& content);
// Marks a zone free and forgets its buffer and its shadow. Returns no error: a zone out of range, a
// bit that is clear already and a bitmap that cannot be read are reported by complain().
void free_block(operation& op, super_block& sb, block_nr block);
// Reads the block of a bitmap that free_block or free_inode will change, so that a block which
// cannot be read is noticed before the first change. Nothing for a zone out of range. Errors: eio.
result<void> read_zone_bit(super_block& sb, block_nr block);
result<void> read_inode_bit(const m_inode& inode);
// Allocates an inode number and gives it an inode in memory: one link, the given mode and ids,
// i_mtime is now, i_dirt is set. The caller enters it into a directory and writes it. A number that
// is in use although its bit was clear keeps the bit set, and the next number is tried. Errors:
// enospc, enfile, eio, eintr.
result<inode_ref> new_inode(operation& op, super_block& sb, u16 mode, u16 uid, u16 gid);
// Clears the inode (in memory and on the disk) and its bit. Returns no error: failures are reported
// by complain().
void free_inode(operation& op, m_inode& inode);
// How many zones and inodes are free.
struct free_counts {
  u32 zones, inodes;
};
// Counts the clear bits of both bitmaps, reading every bitmap block. Errors: eio, eintr.
result<free_counts> count_free(super_block& sb);
