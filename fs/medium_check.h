// What a file system knows of its medium, and what a stick that returns must therefore hold: the
// questions of the verification (fs/replug/verify.cc). MINIX answers them here; a second file
// system would answer the same ones.
//
// Nothing here sleeps. `disk` means all its partitions too.
#pragma once

#include <span>

#include "lib/ids.h"

// Is it this geometry? The block that tells one file system from another, whatever was being
// written at the pull, because it never changes while it is mounted; of every file system mounted
// on the disk. And whether a block of some medium describes the one on `dev` (everything but its
// state, which a checker on another machine may have changed).
constexpr block_nr GEOMETRY_BLOCK{1};
void for_each_mounted(dev_id disk, void* context, void (*visit)(void* context, dev_id dev));
bool same_geometry(dev_id dev, std::span<const byte, BLOCK_SIZE> block);

// Is it this metadata? Whether a block holds bitmaps or inodes: whatever another machine does to
// the file system changes some of these, so what is still in the cache of them is worth comparing.
bool is_metadata(dev_id dev, block_nr block);

// Are they these inodes? Visits those in memory that are not dirty: where each stands on the
// device, and the 32 bytes that must be there.
void for_each_clean_inode(dev_id disk, void* context,
                          void (*visit)(void* context, dev_id dev, block_nr block, u32 offset,
                                        std::span<const byte, 32> expected));
// The most that for_each_clean_inode visits.
constexpr u32 MOST_INODES_TO_CHECK = 256;

// A stick is back: what is known of where its files' blocks stand must be read again.
void forget_zone_runs(dev_id disk);
