// What a mount for writing learns of the metadata on the medium (checkpoint/metadata_digest.h).
#pragma once

#include "fs/super.h"
#include "lib/result.h"

// Reads the bitmaps, and the blocks of the inode table that have an inode in use, so that a change
// by another system is found when the stick comes back. Of a block whose inodes are all free
// nothing is known until it is written: another system that uses one of them changes the inode
// bitmap. A block that cannot be read stays unknown; but a stick that has more than a few of them
// is not tried for ever. Sleeps. Errors: the stick is away for too long.
result<void> read_digest(super_block& sb);
