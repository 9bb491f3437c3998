// Locking inodes for reading and for change (lock_inode and unlock_inode of the book's inode.c).
// The rules are in inode.h and inode_lock.h.
#include "fs/inode_lock.h"

#include <algorithm>

#include "fs/inode_io.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

namespace {

void lock_inode(m_inode& inode) {
  while (inode.i_lock) sleep_on(inode.i_wait);
  inode.i_lock = true;
}

void unlock_inode(m_inode& inode) {
  inode.i_lock = false;
  wake_up(inode.i_wait);
}

}  // namespace

result<inode_lock> inode_lock::take(m_inode& inode) {
  may_sleep();
  TRY(check_alive(inode));
  super_use use(super_of(inode));
  const bool in_operation = operation::current(inode.i_dev) != nullptr;
  while (inode.i_lock) {
    if (in_operation) {
      sleep_on(inode.i_wait);
    } else if (interruptible_sleep_on(inode.i_wait) == wake_reason::signalled) {
      return fail(error::eintr);
    }
  }
  inode.i_lock = true;
  inode_lock lock(std::move(use), inode);
  TRY(check_alive(inode));
  return lock;
}

inode_lock::~inode_lock() {
  if (inode_) unlock_inode(*inode_);
}

result<fs_operation> begin_operation(const m_inode& inode) {
  TRY(check_alive(inode));
  super_block& sb = super_of(inode);
  if (sb.s_rd_only) return fail(error::erofs);
  super_use use(sb);
  result<operation> op = operation::begin(inode.i_dev);
  if (!op) return fail(op.error());
  TRY(check_alive(inode));
  return result<fs_operation>(std::in_place, std::move(use), std::move(*op));
}

result<void> inode_change::begin(std::initializer_list<m_inode*> inodes) {
  may_sleep();
  kassert(!std::exchange(begun_, true) && inodes.size() <= inodes_.size());
  for (m_inode* inode : inodes) add(inode);
  for (locked_inode& locked : locked_inodes()) lock_inode(*locked.inode);
  for (locked_inode& locked : locked_inodes()) {
    TRY(check_alive(*locked.inode));
    locked.block = TRY(read_block_of(*locked.inode));
  }
  writes_ = true;
  return {};
}

// Keeps the order of the numbers.
void inode_change::add(m_inode* inode) {
  const std::span<locked_inode> all = locked_inodes();
  if (!inode || std::ranges::find(all, inode, &locked_inode::inode) != all.end()) return;
  u32 at = count_++;
  for (; at > 0 && inodes_[at - 1].inode->i_num > inode->i_num; --at)
    inodes_[at].inode = inodes_[at - 1].inode;
  inodes_[at].inode = inode;
}

inode_change::~inode_change() {
  kassert(begun_);  // else its inodes were changed without their locks
  for (locked_inode& locked : locked_inodes()) {
    m_inode& inode = *locked.inode;
    // If the write fails, the inode stays dirty: sync_inodes writes it again and reports the error.
    if (writes_ && inode.i_dirt && !inode.i_gone) {
      op_.begin_step();  // the inode is changed already: its write waits for the stick
      static_cast<void>(write_inode(op_, inode, locked.block));
    }
    unlock_inode(inode);
  }
}
