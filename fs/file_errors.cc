#include "fs/file_errors.h"

#include <utility>

#include "drivers/block/genhd.h"
#include "fs/checkpoint/held.h"
#include "fs/inode.h"
#include "fs/inode_table.h"
#include "fs/super.h"

namespace {

// The regular file in memory whose data the block is; null when it is something else.
m_inode* file_of(dev_id dev, block_nr block, ino_nr owner) {
  const super_block* const sb = get_super(dev);
  if (!sb || owner == ino_nr{} || block.value() < sb->s_firstdatazone) return nullptr;
  m_inode* const inode = find_inode(dev, owner);
  return inode && inode->is_regular() ? inode : nullptr;
}

// Whether the inode is a file of the device, or the device itself, or its whole disk.
bool is_of(const m_inode& inode, dev_id dev) {
  if (!inode.is_block()) return inode.i_dev == dev;
  return inode.rdev() == dev || inode.rdev() == whole_disk(dev);
}

}  // namespace

void note_refused_write(dev_id dev, block_nr block, ino_nr owner) {
  const m_inode* const file = file_of(dev, block, owner);
  for (m_inode& inode : all_inodes())
    if (inode.i_count > 0 && is_of(inode, dev) && (!file || file == &inode || inode.is_block()))
      ++inode.i_write_errors;
}

void forget_file_errors(file& f) { f.f_errors_seen = f.f_inode->i_write_errors; }

result<void> take_file_error(file& f) {
  const u32 now = f.f_inode->i_write_errors;
  return std::exchange(f.f_errors_seen, now) == now ? result<void>() : fail(error::eio);
}

bool waits_for_blocks(const m_inode& inode) {
  return checkpoint::any_held(inode.i_dev, [&](block_nr block, ino_nr owner) {
    const m_inode* const file = file_of(inode.i_dev, block, owner);
    return !file || file == &inode;
  });
}
