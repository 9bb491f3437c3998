#include "fs/buffer/invalidate.h"

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_table.h"

namespace {

// Makes a head clean and not uptodate. If it is free, our policy gives it another block first.
void discard(buffer_head& bh) {
  bh.b_uptodate = bh.b_dirt = false;
  bh.b_error.reset();
  the_policy().file(bh);
}

bool is_part_of(const buffer_head& bh, dev_id dev) {
  return bh.b_dev && (bh.b_dev == dev || whole_disk(bh.b_dev) == dev);
}

}  // namespace

// let_go_of_buffers has made them clean when the stick was pulled. Without shadows (hold=0) an
// operation that had begun may have made one dirty since.
void discard_buffers(dev_id disk) {
  for (u32 i = 0; i < buffer_total(); ++i)
    if (is_part_of(buffer_at(i), disk)) discard(buffer_at(i));
  static_cast<void>(take_write_error(disk));  // not for the next stick with this name
}

void drop_clean_buffers(dev_id dev, bool (*keep)(dev_id dev, block_nr block)) {
  if (!has_buffers(dev)) return;
  for (u32 i = 0; i < buffer_total(); ++i) {
    buffer_head& bh = buffer_at(i);
    if (is_part_of(bh, dev) && is_free(bh) && !(keep && keep(bh.b_dev, bh.b_blocknr))) discard(bh);
  }
}

u32 let_go_of_buffers(dev_id disk) {
  u32 dirty = 0;
  dirty_walk walk(disk);
  while (buffer_head* bh = the_policy().next_dirty(walk)) {
    bh->b_dirt = false;
    the_policy().file(*bh);
    ++dirty;
  }
  return dirty;
}
