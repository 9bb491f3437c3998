// An inode is read from its block of the inode table, and written into it (the book's read_inode
// and write_inode). The block is written to the device later, like every dirty buffer.
#pragma once

#include "fs/buffer/buffer.h"
#include "fs/checkpoint/operation.h"
#include "fs/inode.h"

// Where an inode stands on its device.
struct inode_place {
  block_nr block;
  u32 offset;  // in bytes
};
// Both never sleep. place_of: the file system is mounted.
inode_place place_of(const m_inode& inode);
d_inode to_disk(const m_inode& inode);

// The block into which write_inode will write: what fails there is met before the first change.
// Sleep. Errors: those of bread.
result<buffer_ref> read_block_of(const m_inode& inode);
result<void> reach_inode(const super_block& sb, ino_nr number);
// The book's read_inode: fills an m_inode from its block. Sleeps. Errors: eintr, eio (also for an
// inode that is free on the disk, which is reported as damage).
result<void> read_inode(m_inode& inode);
// Copies an inode into its block, whose buffer becomes dirty, and clears i_dirt. The caller holds
// an inode_change of it, or its only reference. Sleeps. Errors: eio, and absent in an operation
// without a change; i_dirt is still set then.
result<void> write_inode(operation& op, m_inode& inode);
// The same, for a caller that has the buffer from read_block_of.
result<void> write_inode(operation& op, m_inode& inode, buffer_ref& block);
