// The table of inodes in memory: slots, the hash by number, and the list of those that no task uses
// (in the book's inode.c). Nothing here sleeps.
#pragma once

#include <span>

#include "fs/inode.h"

// A blank slot with one reference, not hashed: for a pipe, or for iget to fill. Errors: enfile.
result<inode_ref> get_empty_inode();
// A blank, hashed slot for a newly allocated number of a device (new_inode). Errors: enfile; eio
// when an inode of this number is in use, although its bit was clear.
result<inode_ref> adopt_inode(dev_id dev, ino_nr number);

// The whole table, for walks over it.
std::span<m_inode> all_inodes();
u32 inodes_in_use();  // those with a reference
// The hashed inode of this number, without a reference; null when there is none.
m_inode* find_inode(dev_id dev, ino_nr number);
// From now on find_inode finds the inode / does not find it.
void hash_inode(m_inode& inode);
void unhash_inode(m_inode& inode);
// The last reference is gone: a hashed, clean inode stays in memory until its slot is needed.
void keep_unused(m_inode& inode);

// --- For mount and umount ---

// Whether an inode of the device has a reference (other than s_isup's to the root).
bool inodes_busy(dev_id dev);
// Whether a file of the device has no names and is not freed: a task has it open, or it is an
// orphan.
bool has_nameless_inodes(dev_id dev);
// Whether a file without names could not be freed, as a block of the device could not be read.
bool has_orphans(dev_id dev);
// The medium was changed elsewhere, and ours is to be on it (`ckpt force`): inodes that no task
// uses are read again, those in use are written.
void distrust_inodes(dev_id dev);
// Unhashes all inodes of a device and sets i_gone: those that still have references answer eio.
void invalidate_inodes(dev_id dev);
