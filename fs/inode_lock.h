// Who may look at an inode, who may change it.
//
// - Changes happen inside an operation, under an inode_change: it locks the inodes concerned, in
//   the order of their numbers, and writes the dirty ones into their blocks before it unlocks. So
//   an inode is dirty only while an operation is at work on it, and inodes that no task has locked
//   are clean.
// - Lock order: operation, then inode locks. A task with an inode lock outside an operation must
// not
//   begin one (another operation may hold the room and wait for the lock), and must not drop a
//   reference that could be the last.
#pragma once

#include <array>
#include <initializer_list>

#include "fs/checkpoint/operation.h"
#include "fs/inode.h"
#include "lib/moved_pointer.h"

// Holds one inode against changes, for reading. Waits interruptibly, except inside an operation.
class [[nodiscard]] inode_lock {
 public:
  // Errors: eintr; eio when the volume was given up.
  static result<inode_lock> take(m_inode& inode);
  inode_lock(inode_lock&& other) noexcept = default;
  inode_lock& operator=(inode_lock&&) = delete;
  ~inode_lock();

 private:
  inode_lock(super_use use, m_inode& inode) : use_(std::move(use)), inode_(&inode) {}
  super_use use_;
  moved_pointer<m_inode> inode_;
};

// An operation on a mounted file system, which stays mounted for its length.
class [[nodiscard]] fs_operation : public operation {
 public:
  fs_operation(super_use&& use, operation&& op) : operation(std::move(op)), use_(std::move(use)) {}

 private:
  super_use use_;
};
// Begins one on the inode's file system. Errors: erofs, eio, eintr.
result<fs_operation> begin_operation(const m_inode& inode);

// Locks up to four inodes for change (null ones and repetitions are fine) and, at its end, writes
// those that became dirty. It must stand below its operation, so that it ends first.
class [[nodiscard]] inode_change {
 public:
  inode_change(operation& op, std::initializer_list<m_inode*> inodes);
  inode_change(const inode_change&) = delete;
  inode_change& operator=(const inode_change&) = delete;
  ~inode_change();

 private:
  operation& op_;
  std::array<m_inode*, 4> inodes_{};
  u32 count_ = 0;
};
