// The table of inodes in memory: slots, the hash by number, and the list of those that no task uses
// (in the book's inode.c). Nothing here sleeps.
#pragma once

#include <span>

#include "fs/inode.h"

// A slot for an inode that stands on no disk (pipes). Errors: enfile.
result<inode_ref> get_empty_inode();
// A slot for a newly allocated number of a device (new_inode). Errors: enfile, eio when the number
// is in use in spite of its bit.
result<inode_ref> adopt_inode(dev_id dev, ino_nr number);

// The whole table, for walks over it.
std::span<m_inode> all_inodes();
// The inode that is found by its number; null when it is not in memory.
m_inode* find_inode(dev_id dev, ino_nr number);
// From now on it is found by its number, or is not any more.
void hash_inode(m_inode& inode);
void unhash_inode(m_inode& inode);
// It has no reference any more: it stays in memory, and is given away when a slot is needed.
void keep_unused(m_inode& inode);

// --- For mount and umount ---

// Whether a task uses an inode of the device (the root's own reference by s_isup aside).
bool inodes_busy(dev_id dev);
// Forgets all inodes of a device; those still in use are gone for their users.
void invalidate_inodes(dev_id dev);
