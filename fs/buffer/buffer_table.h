// The heads of the buffer cache: how many there are, the hash by which a block's is found, and the
// policy that says which of them is taken next. Nothing here sleeps.
#pragma once

#include <string_view>

#include "drivers/block/buffer_head.h"
#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_policy.h"
#include "lib/result.h"

// `buffers` heads with their blocks; 0 sizes the cache by memory. Called once at boot.
void buffer_init(u32 buffers, buffer_policy& chosen);

// Every head by number, for those who must look at all of them: the verification, tests, gdb.
u32 buffer_total();
buffer_head& buffer_at(u32 index);

struct buffer_counts {
  u32 total, clean, dirty, in_use, locked;
};
buffer_counts count_buffers();

// Checks what must be true between sleeps: one head per block, each head on exactly one list,
// chains complete, dirty means uptodate, counts sane. kasserts on a violation. For tests and for
// gdb.
void check_buffer_invariants();

// --- for the files of this folder

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

// Every name that a disk can have, the RAM disk's first.
template <class Visit>
void for_each_disk(Visit visit) {
  visit(dev_id(MAJOR_RAM, 0));
  for (u8 i = 0; i < NR_DISKS; ++i) visit(dev_id(MAJOR_DISK, static_cast<u8>(i * MINORS_PER_DISK)));
}

// --- the first error that writes of a disk have met since somebody was told
void note_write_error(dev_id dev, error e);
// That error, once.
result<void> take_write_error(dev_id dev);
