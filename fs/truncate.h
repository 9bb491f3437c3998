// truncate: a file is cut, or made longer without blocks (the book's truncate.c).
#pragma once

#include "fs/checkpoint/operation.h"
#include "fs/inode.h"

// Sets the length of a file or directory to `size` bytes; inodes without zones are left unchanged.
// The caller has locked the inode for change, or no other task can find it (delete_inode). Dirties
// at most the zone bitmap, two indirect blocks, one data block and the inode. What it needs is read
// before its first change: after such an eio nothing is changed. If an indirect block has a zone
// out of range or cannot be changed, the blocks that it names stay allocated: lost, which is
// reported as damage, if the indirect block itself is freed; otherwise they stay in the file. After
// an error the length is set only if it is 0. Sleeps. Errors: efbig, eio.
result<void> truncate(operation& op, m_inode& inode, u32 size);
// Reads what freeing the blocks of the file except the first `keep` needs: its indirect blocks, and
// the bitmap. Sleeps. Errors: eio.
result<void> read_before_freeing(m_inode& inode, u32 keep);
// Zeroes the block's bytes from byte `size` of the file on, before the file grows past `size`.
// Nothing for a hole or a `size` at a block's start. Sleeps. Errors: eio.
result<void> zero_tail(operation& op, m_inode& inode, u32 size);
