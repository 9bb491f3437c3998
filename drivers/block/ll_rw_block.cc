#include "drivers/block/ll_rw_block.h"

#include "drivers/block/genhd.h"
#include "hal/panic.h"

namespace {

// The name means no device: the I/O ends before it has begun.
void end_at_once(block_command cmd, buffer_head& bh, error e) {
  bh.b_sent = false;
  if (cmd == block_command::read) bh.b_uptodate = false;
  if (bh.b_end_io) bh.b_end_io(bh, cmd == block_command::write, fail(e));
}

}  // namespace

void ll_rw_block(block_command cmd, buffer_head& bh) {
  kassert(!bh.b_lock);
  const result<block_target> target = resolve(bh.b_dev);
  if (!target) return end_at_once(cmd, bh, target.error());
  const u32 blocks = target->sectors / SECTORS_PER_BLOCK;
  if (bh.b_blocknr.value() >= blocks) return end_at_once(cmd, bh, error::enxio);
  target->device->submit(cmd, target->first + bh.b_blocknr.value() * SECTORS_PER_BLOCK, bh);
}
