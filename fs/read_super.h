// A superblock comes from its disk into the table, and leaves it (the book's read_super and
// put_super in super.c; mount and umount themselves are in mount.cc).
//
// s_state follows Linux: a writable mount clears VALID on the disk, umount writes back what was
// found, with ERROR if damage was met meanwhile, so that fsck.minix knows when it is needed.
#pragma once

#include "fs/super.h"
#include "lib/result.h"

// Reads and checks the superblock and the root inode; clears the mark VALID on the disk unless it
// is read-only (which a write-protected medium makes it). The result is not s_ready yet. Sleeps.
// Errors: einval (no MINIX file system, or damaged), ebusy (mounted already, or another name of the
// same blocks is), enfile, enxio, enodev, eio, eintr.
result<super_block*> read_super(dev_id dev, bool rd_only);

// The disk says again what it said when it was mounted (with ERROR, if damage was met). Sleeps.
result<void> restore_state(super_block& sb);
// The disk says that it is in use. Sleeps.
result<void> clear_state(super_block& sb);
// Forgets the file system and its inodes. Open files of it, which only a volume that was given up
// still has, answer eio for ever. Sleeps until nobody works on it.
void put_super(super_block& sb);
