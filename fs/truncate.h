// truncate: a file is cut, or made longer without blocks (the book's truncate.c).
#pragma once

#include "fs/checkpoint/operation.h"
#include "fs/inode.h"

// Cuts or extends a regular file or directory; the inode is locked for change (or out
// of everybody's reach). Dirties at most the zone bitmap, two indirect blocks, one data block and
// the inode. What cannot be read of a damaged file is left allocated, with a complaint.
result<void> truncate(operation& op, m_inode& inode, u32 size);
// Zeroes what stands behind byte `size` in its block, before a file grows past it.
result<void> zero_tail(operation& op, m_inode& inode, u32 size);
