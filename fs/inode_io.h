// The inode's way between memory and its block in the inode table (the book's read_inode and
// write_inode).
#pragma once

#include "fs/checkpoint/operation.h"
#include "fs/inode.h"

// Where an inode stands on its device.
struct inode_place {
  block_nr block;
  u32 offset;  // in bytes
};
inode_place place_of(const m_inode& inode);
d_inode to_disk(const m_inode& inode);

// The book's read_inode: fills an m_inode from its block. Sleeps. Errors: eio, also for an inode
// that is not in use.
result<void> read_inode(m_inode& inode);
// Brings an inode into its block; clears i_dirt. The inode is locked for change. Sleeps. Errors:
// eio.
result<void> write_inode(operation& op, m_inode& inode);
