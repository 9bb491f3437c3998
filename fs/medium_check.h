// What a mounted file system expects of its medium when a stick returns: asked by the verification
// (fs/replug/verify.cc), answered here for MINIX. A second file system would implement the same
// calls.
//
// Nothing here sleeps. `disk` is a whole disk and means its partitions too.
#pragma once

#include <span>

#include "lib/ids.h"

// Geometry. GEOMETRY_BLOCK describes the file system's layout. The layout never changes while
// mounted, so it tells one file system from another whatever was being written at the pull.
// for_each_mounted visits the device of each file system mounted on the disk. same_geometry:
// whether a block read from a medium describes the layout of the file system mounted on `dev`; the
// state field is not compared, as a checker on another machine may have changed it. True when `dev`
// is not mounted.
constexpr block_nr GEOMETRY_BLOCK{1};
void for_each_mounted(dev_id disk, void* context, void (*visit)(void* context, dev_id dev));
bool same_geometry(dev_id dev, std::span<const byte, BLOCK_SIZE> block);

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
