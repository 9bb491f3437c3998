#include "fs/sync.h"

#include <algorithm>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/inode_io.h"
#include "fs/inode_lock.h"
#include "fs/inode_table.h"

namespace {

// Whether sync_inodes handles this inode: it is hashed, on the device (dev_id{}: on any), and the
// volume is plugged in. Inodes of an absent volume are written when it is back (row 22). An inode
// that is not hashed is being deleted or gone: only the deleting task writes it, as its number may
// be allocated again before that task is done.
bool concerns(const m_inode& inode, dev_id dev) {
  return inode.i_hash_link.linked() && (!dev || inode.i_dev == dev) &&
         !checkpoint::absent(inode.i_dev);
}

// Waits for the operation that is changing the inode: the end of its inode_change writes the inode.
// If such a write has failed, the inode is still dirty and is written here. If the stick is pulled
// meanwhile, it stays dirty: sync waits for no stick (row 22). Errors: absent, eio.
result<void> settle_inode(m_inode& inode) {
  const inode_ref hold = idup(inode);
  fs_operation op = TRY(begin_operation(inode));
  inode_change change(op);
  TRY(change.begin({&inode}));
  change.only_unlock();
  return inode.i_dirt ? write_inode(op, inode) : result<void>{};
}

// Writes and flushes one disk. An absent one is skipped: `sync` shall not wait for it before the
// other volumes are durable (row 22).
result<void> sync_disk(dev_id disk) {
  if (!resolve(disk)) return {};
  const result<void> flushed = flush_buffers(disk);
  const result<void> earlier = take_write_error(disk);
  if (!flushed && flushed.error() == error::enodev)
    return {};  // pulled meanwhile: the region holds all its blocks
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
      // A stick that was pulled meanwhile hides no error of another one.
      if (!settled && (outcome || outcome.error() == error::absent)) outcome = settled;
    }
  }
  return outcome;
}

bool has_stuck_inodes(dev_id disk) {
  return std::ranges::any_of(all_inodes(), [&](const m_inode& inode) {
    return inode.i_hash_link.linked() && inode.i_dirt && !inode.i_lock &&
           whole_disk(inode.i_dev) == disk;
  });
}

result<void> sync_dev(dev_id dev) {
  if (checkpoint::dead(dev)) return fail(error::eio);
  const result<void> inodes = sync_inodes(dev);  // also after an error all other blocks are written
  const result<void> flushed = flush_buffers(dev);
  return inodes ? flushed : inodes;
}

result<void> sys_sync() {
  result<void> first{};
  const auto keep_first = [&](result<void> outcome) {
    if (first && !outcome && outcome.error() != error::absent) first = outcome;
  };
  keep_first(sync_inodes(dev_id{}));
  for_each_disk([&](dev_id disk) { keep_first(sync_disk(disk)); });
  return first;
}
