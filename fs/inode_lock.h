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
#include <span>
#include <utility>

#include "fs/buffer/buffer.h"
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

// Up to MOST_INODES inodes that are locked for change. At its end those that became dirty are
// written, without a read, and all are unlocked. Declare it below its operation, so that its
// destructor runs first; that may sleep, uninterruptibly.
class inode_change {
 public:
  explicit inode_change(operation& op) : op_(op) {}
  inode_change(inode_change&&) = delete;
  inode_change& operator=(inode_change&&) = delete;
  ~inode_change();

  // To be called once. Locks the inodes and reads their blocks of the inode table. Null ones and
  // repetitions are fine. Sleeps, uninterruptibly, for the locks. Errors: those of bread.
  result<void> begin(std::initializer_list<m_inode*> inodes);

  // From now on the end only unlocks: nothing was changed under it, and an inode that is dirty by
  // an earlier change need not be written now. Never sleeps.
  void only_unlock() { writes_ = false; }

 private:
  static constexpr u32 MOST_INODES = 4;
  struct locked_inode {
    m_inode* inode = nullptr;
    buffer_ref block;  // of the inode table, into which the inode will be written
  };
  void add(m_inode* inode);
  std::span<locked_inode> locked_inodes() { return std::span(inodes_).first(count_); }

  operation& op_;
  bool begun_ = false;
  bool writes_ = false;  // its end writes what is dirty; only after a begin that succeeded
  u32 count_ = 0;        // of the inodes below
  std::array<locked_inode, MOST_INODES> inodes_{};
};
