// What a mounted file system expects of its medium when a stick returns: asked by the verification
// (fs/replug/verify.cc), answered here for MINIX. A second file system would implement the same
// calls.
//
// Nothing here sleeps. `disk` is a whole disk and means its partitions too.
#pragma once

#include <span>

#include "lib/ids.h"

// The block that describes the file system's layout and has its stamp. Both stay as they are while
// it is mounted, so they tell one file system from another whatever was being written at the pull.
// for_each_mounted visits the device of each file system that is mounted on the disk, or being
// mounted. compare_super: what a block read from a medium says of the file system mounted on `dev`;
// the state field is not compared, as a checker on another machine may have changed it. `same` when
// `dev` is not mounted.
constexpr block_nr GEOMETRY_BLOCK{1};
enum class resemblance : u8 {
  same,     // and the stamp proves that it is this one
  alike,    // the layout is the same, and there is no stamp to compare
  changed,  // the layout is the same, the stamp is a later one
  bare,     // the layout is the same, and the stamp is gone: it was formatted anew
  other,    // another layout, or the stamp of another file system
};
void for_each_mounted(dev_id disk, void* context, void (*visit)(void* context, dev_id dev));
resemblance compare_super(dev_id dev, std::span<const byte, BLOCK_SIZE> block);

// Metadata. Whether a block lies in front of the data zones (superblock, bitmaps, inode table). Any
// change on another machine changes some of these blocks, so the cached ones are kept and compared.
bool is_metadata(dev_id dev, block_nr block);

// Inodes. Visits each hashed inode in memory that is clean and loaded: the block and the offset (in
// bytes) where it is stored on the device, and the 32 bytes that must be there.
void for_each_clean_inode(dev_id disk, void* context,
                          void (*visit)(void* context, dev_id dev, block_nr block, u32 offset,
                                        std::span<const byte, 32> expected));
// The most that for_each_clean_inode visits.
constexpr u32 MOST_INODES_TO_CHECK = 256;

// A stick is back: forgets the zone numbers that bmap and create_block remembered (i_run, i_table)
// in all inodes of the disk, so that they are read again.
void forget_zone_runs(dev_id disk);
