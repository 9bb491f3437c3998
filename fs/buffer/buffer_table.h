// The heads of the buffer cache: their array, the hash that finds the head of a block, and the
// policy that chooses the next head. Nothing here sleeps.
#pragma once

#include <string_view>

#include "drivers/block/buffer_head.h"
#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_policy.h"
#include "lib/result.h"

// Makes `buffers` heads with their blocks; 0: a quarter of memory. Called once at boot.
void buffer_init(u32 buffers, buffer_policy& chosen);

// Every head by number (0 to buffer_total() - 1), for walks over all: the verification, tests, gdb.
u32 buffer_total();
buffer_head& buffer_at(u32 index);

// How many heads; a head may count in several fields. clean: the free ones (clean, not in use, not
// locked).
struct buffer_counts {
  u32 total, clean, dirty, in_use, locked;
};
buffer_counts count_buffers();

// kasserts what must be true between sleeps: a block has one head, each hash chain is complete, the
// heads of each disk are counted, a dirty head is uptodate, and the policy's check. For tests and
// for gdb.
void check_buffer_invariants();

// --- for the files of this folder

buffer_policy& the_policy();

// The book's: looks into the hash; null when the block has no head. Takes no use.
buffer_head* find_buffer(dev_id dev, block_nr block);
// Whether a head stands for a block of this disk or of its partitions; the walk over all can be
// left out then.
bool has_buffers(dev_id disk);
// Gives a free head another block, whose content is not read yet: not uptodate.
void name_buffer(buffer_head& bh, dev_id dev, block_nr block);

// One use more, one use less. A head that becomes free, or is free no longer, changes its list; a
// dirty head stays on its list.
inline void use_buffer(buffer_head& bh) {
  const bool was_free = is_free(bh);
  ++bh.b_count;
  if (was_free) the_policy().file(bh);
}
inline void unuse_buffer(buffer_head& bh) {
  --bh.b_count;
  if (is_free(bh)) the_policy().file(bh);
}

// The index of a disk in tables of this folder; 0 is every other device (the RAM disk).
constexpr u32 NR_DISK_INDEXES = 1 + NR_DISKS;
constexpr u32 disk_index(dev_id dev) {
  const u32 index = dev.minor() / MINORS_PER_DISK;
  return dev.major() == MAJOR_DISK && index < NR_DISKS ? 1 + index : 0;
}

// Calls visit(dev_id) for every name that a disk can have, the RAM disk's first. The disk need not
// exist.
template <class Visit>
void for_each_disk(Visit visit) {
  visit(dev_id(MAJOR_RAM, 0));
  for (u8 i = 0; i < NR_DISKS; ++i) visit(dev_id(MAJOR_DISK, static_cast<u8>(i * MINORS_PER_DISK)));
}

// --- the first write error of a disk that was not reported yet by sync
void note_write_error(dev_id dev, error e);
// Returns that error and forgets it.
result<void> take_write_error(dev_id dev);
