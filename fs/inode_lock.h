// The lock of an inode: a task holds it while it reads or changes the inode.
//
// - Changes happen inside an operation, under an inode_change: it locks the inodes concerned, in
//   the order of their numbers, and writes the dirty ones into their blocks before it unlocks. So
//   an inode is dirty only while a task has locked it, unless that write failed (sync_inodes
//   repeats it).
// - Lock order: operation, then inode locks. A task with an inode lock outside an operation must
//   not begin one (another operation may hold the room and wait for the lock), and must not drop a
//   reference that could be the last.
#pragma once

#include <array>
#include <initializer_list>

#include "fs/checkpoint/operation.h"
#include "fs/inode.h"
#include "lib/moved_pointer.h"

// One inode is locked for reading: no other task reads or changes it meanwhile.
class [[nodiscard]] inode_lock {
 public:
  // Sleeps until the inode is unlocked, interruptibly except inside an operation. Errors: eintr;
  // eio when the volume was given up.
  static result<inode_lock> take(m_inode& inode);
  inode_lock(inode_lock&& other) noexcept = default;
  inode_lock& operator=(inode_lock&&) = delete;
  ~inode_lock();

 private:
  inode_lock(super_use use, m_inode& inode) : use_(std::move(use)), inode_(&inode) {}
  super_use use_;
  moved_pointer<m_inode> inode_;
};

// An operation on a mounted file system, which stays mounted until the operation ends.
class [[nodiscard]] fs_operation : public operation {
 public:
  fs_operation(super_use&& use, operation&& op) : operation(std::move(op)), use_(std::move(use)) {}

 private:
  super_use use_;
};
// Begins one on the inode's file system. Sleeps as operation::begin. Errors: erofs, eio, eintr,
// enodev.
result<fs_operation> begin_operation(const m_inode& inode);

// Locks up to four inodes for change (null ones and repetitions are fine) and, at its end, writes
// those that became dirty and unlocks them. Both sleep, uninterruptibly. Declare it below its
// operation, so that its destructor runs first.
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
