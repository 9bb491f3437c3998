// The inode's way between memory and its block in the inode table, for the files of this folder.
#pragma once

#include "fs/inode.h"

// The whole inode table, for walks over it.
std::span<m_inode> all_inodes();

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
