#include "fs/buffer/write_buffers.h"

#include "drivers/block/genhd.h"
#include "drivers/block/ll_rw_block.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/shadow.h"

namespace {

void start_write(buffer_head& bh) {
  checkpoint::issued(bh.b_dev, bh.b_blocknr);
  ll_rw_block(block_command::write, bh);
}

void start_writes(dev_id disk) {
  dirty_walk walk(disk);
  while (buffer_head* bh = the_policy().next_dirty(walk))
    if (!bh->b_lock) start_write(*bh);
}

// Waits for all writes under way on the disk, started by this task or by another whose walk ran at
// the same time. Errors: the first one of a buffer that is still dirty.
result<void> wait_for_writes(dev_id disk) {
  while (buffer_head* bh = the_policy().first_under_way(disk)) wait_on_buffer(*bh);
  result<void> outcome;
  dirty_walk walk(disk);
  while (const buffer_head* bh = the_policy().next_dirty(walk))
    if (outcome && bh->b_error) outcome = fail(*bh->b_error);
  return outcome;
}

// How often the disk has lost its write cache; 0 when it is away.
u32 caches_lost(dev_id disk) {
  const auto target = resolve(disk);
  return target ? target->device->caches_lost() : 0;
}

}  // namespace

result<void> write_buffers(dev_id disk) {
  start_writes(disk);
  return wait_for_writes(disk);
}

result<void> flush_buffers(dev_id dev) {
  const dev_id disk = whole_disk(dev);
  result<void> wrote, flushed = fail(error::eio);
  // What the disk's cache has lost, the barrier writes again, but not a block that was changed
  // meanwhile: its buffer has what was lost, and is written here.
  for (int attempt = 0; attempt < checkpoint::FLUSH_TRIES; ++attempt) {
    if (checkpoint::absent(disk)) return fail(error::enodev);
    const u32 lost_before = caches_lost(disk);
    wrote = write_buffers(disk);
    flushed = checkpoint::barrier(disk);
    if (!flushed || caches_lost(disk) == lost_before) break;
    flushed = fail(error::eio);
  }
  // enodev promises that the region holds the blocks: not those of a volume that was given up.
  if (flushed == fail(error::enodev) && !checkpoint::absent(disk)) return fail(error::eio);
  return flushed ? wrote : flushed;
}
