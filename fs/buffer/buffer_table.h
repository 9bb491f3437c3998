// The heads of the buffer cache: the hash, and the policy that says which of them is taken next.
// Only buffer.cc, the policies and the tests look in here. Nothing here sleeps.
#pragma once

#include "drivers/block/buffer_head.h"
#include "drivers/block/genhd.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_policy.h"

buffer_policy& the_policy();

buffer_head* find_buffer(dev_id dev, block_nr block);  // the book's: a look into the hash
// Gives a free head another block: not uptodate, nothing known of it.
void name_buffer(buffer_head& bh, dev_id dev, block_nr block);

// One use more, one use less. Dirty heads stay where they are, whoever uses them.
inline void use_buffer(buffer_head& bh) {
  const bool was_free = is_free(bh);
  ++bh.b_count;
  if (was_free) the_policy().file(bh);
}
inline void unuse_buffer(buffer_head& bh) {
  --bh.b_count;
  if (is_free(bh)) the_policy().file(bh);
}

// Disks have an index each; 0 is everything else (the RAM disk).
constexpr u32 NR_DISK_INDEXES = 1 + NR_DISKS;
constexpr u32 disk_index(dev_id dev) {
  const u32 index = dev.minor() / MINORS_PER_DISK;
  return dev.major() == MAJOR_DISK && index < NR_DISKS ? 1 + index : 0;
}

// The first error since the last look that a write of this disk met.
void note_write_error(dev_id dev, error e);
