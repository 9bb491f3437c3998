// A superblock is read from its disk into the table, and removed from it (the book's read_super and
// put_super in super.c; mount and umount themselves are in mount.cc).
//
// s_state follows Linux: a writable mount clears VALID on the disk; umount writes back the state
// that mount found, with ERROR and without VALID if damage was found meanwhile. So fsck.minix knows
// when a check is needed.
#pragma once

#include "fs/super.h"
#include "lib/result.h"

// Reads and checks the superblock and the root inode; clears the mark VALID on the disk unless it
// is read-only (which a write-protected medium makes it). The result is not s_ready yet. Sleeps.
// Errors: einval (no MINIX file system, or damaged), ebusy (mounted already, or another name of the
// same blocks is), enfile, enxio, enodev, eio, eintr.
result<super_block*> read_super(dev_id dev, bool rd_only);

// Writes into the superblock's buffer: the state found at mount (with ERROR and without VALID if
// damage was found). Nothing on a read-only mount. Sleeps. Errors: eio, eintr, erofs, enodev.
result<void> restore_state(super_block& sb);
// Writes into the superblock's buffer: mounted, VALID is clear. As restore_state.
result<void> clear_state(super_block& sb);
// Removes the file system and its inodes from memory; writes nothing. Files that are still open
// (only on a volume that is given up) answer eio from then on. Sleeps, uninterruptibly, until no
// super_use is left.
void put_super(super_block& sb);
