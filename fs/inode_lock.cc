// Locking inodes for reading and for change (lock_inode and unlock_inode of the book's inode.c).
// The rules are in inode.h and inode_lock.h.
#include "fs/inode_lock.h"

#include <algorithm>

#include "fs/inode_io.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

namespace {

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

inode_change::inode_change(operation& op, std::initializer_list<m_inode*> inodes) : op_(op) {
  may_sleep();
  kassert(inodes.size() <= inodes_.size());
  for (m_inode* inode : inodes)
    if (inode && std::ranges::find(inodes_, inode) == inodes_.end()) inodes_[count_++] = inode;
  std::sort(inodes_.begin(), inodes_.begin() + count_,
            [](const m_inode* a, const m_inode* b) { return a->i_num < b->i_num; });
  for (u32 i = 0; i < count_; ++i) {
    while (inodes_[i]->i_lock) sleep_on(inodes_[i]->i_wait);
    inodes_[i]->i_lock = true;
  }
}

inode_change::~inode_change() {
  for (u32 i = 0; i < count_; ++i) {
    m_inode& inode = *inodes_[i];
    // If the write fails, the inode stays dirty: sync_inodes writes it again and reports the error.
    if (inode.i_dirt && !inode.i_gone) static_cast<void>(write_inode(op_, inode));
    unlock_inode(inode);
  }
}
