#include "fs/sync.h"

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/inode_io.h"
#include "fs/inode_lock.h"
#include "fs/inode_table.h"

namespace {

// An inode that is found by its number, on a volume that is plugged in. An absent volume is not
// waited for: its inodes are written when it is back (row 22). An inode in no hash chain is being
// deleted: the deleting task alone writes it, for its number is given away in the middle.
bool concerns(const m_inode& inode, dev_id dev) {
  return inode.i_hash_link.linked() && (!dev || inode.i_dev == dev) &&
         !checkpoint::absent(inode.i_dev);
}

// The inode is dirty because an operation is at work on it, which ends by writing it, or because
// that failed: then we try again.
result<void> settle_inode(m_inode& inode) {
  const inode_ref hold = idup(inode);
  fs_operation op = TRY(begin_operation(inode));
  const inode_change change(op, {&inode});
  if (!inode.i_dirt) return {};
  return write_inode(op, inode);
}

// A volume that is away is not waited for: somebody who types `sync` wants the others safe (row
// 22).
result<void> sync_disk(dev_id disk) {
  if (!resolve(disk)) return {};
  const result<void> flushed = flush_buffers(disk);
  const result<void> earlier = take_write_error(disk);
  if (!flushed && flushed.error() == error::enodev)
    return {};  // pulled just now: the region has it all
  return flushed ? earlier : flushed;
}

}  // namespace

result<void> sync_inodes(dev_id dev) {
  result<void> outcome;
  for (m_inode& inode : all_inodes()) {
    if (concerns(inode, dev) && inode.i_orphan) {
      inode.i_orphan = false;
      const inode_ref last = idup(inode);  // its end frees the file
    }
    if (concerns(inode, dev) && inode.i_dirt) {
      const result<void> settled = settle_inode(inode);
      if (outcome && !settled) outcome = settled;
    }
  }
  return outcome;
}

result<void> sync_dev(dev_id dev) {
  if (checkpoint::dead(dev)) return fail(error::eio);
  TRY(sync_inodes(dev));
  const result<void> flushed = flush_buffers(dev);
  const result<void> earlier = take_write_error(dev);
  return flushed ? earlier : flushed;
}

result<void> sys_sync() {
  result<void> first = sync_inodes(dev_id{});
  const auto keep_first = [&](result<void> outcome) {
    if (first && !outcome) first = outcome;
  };
  for_each_disk([&](dev_id disk) { keep_first(sync_disk(disk)); });
  return first;
}
