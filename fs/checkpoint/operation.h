// operation: one change of a file system that must happen whole – the room for it in the checkpoint
// region is reserved before its first block is dirtied (checkpoint rule 1).
//
//   {
//     operation op = TRY(operation::begin(dev));  // the only wait for room in the region
//     TRY(buffer.modify(op, …)); …                // no wait for room; also with the stick gone
//   }                                             // the end: room that was not used is given back
//
// - Begin before any inode lock is taken: begin may flush, and must not wait for its own task.
// - An operation that has begun is completed even when the stick is pulled in its middle: its
//   changes are in memory and in the region, and the replay writes them. It reads what it needs
//   before its first change, and fails with error::absent if that is not in the cache; a read after
//   it waits for the stick (rule 4).
// - An operation begun inside another of the same task and device is part of it and shares its
//   room.
// - A long write is many operations: begin one for every few blocks.
#pragma once

#include <string_view>

#include "fs/checkpoint/file_notes.h"
#include "fs/checkpoint/region.h"
#include "fs/checkpoint/volume_use.h"
#include "hal/task.h"
#include "lib/ids.h"
#include "lib/intrusive_list.h"
#include "lib/result.h"

// The most blocks that one operation may dirty: enough for every system call that changes names
// (two directories, inodes, indirect blocks and all sixteen bitmap blocks).
constexpr u32 OPERATION_BLOCKS = 32;

namespace checkpoint {
struct volume;
}

class [[nodiscard]] operation {
  struct key {};  // only begin makes operations

 public:
  operation(key, dev_id dev, operation* outer);
  operation(key, dev_id dev, checkpoint::volume& v, checkpoint::reservation&& room);
  // Sleeps while the region is full (the volume is flushed then), at most io_wait, interruptibly.
  // Errors: absent (the stick is away), eio (given up, or the flush failed), eintr, erofs, and
  // enodev for a device that does not exist.
  static result<operation> begin(dev_id dev);

  operation(operation&& other) noexcept;
  operation& operator=(operation&&) = delete;
  ~operation();

  dev_id dev() const { return dev_; }

  // Blocks modified from now on belong to this inode. If they are lost, the console prints its
  // path. Never sleeps, like all below.
  void about(ino_nr inode, checkpoint::noted_path& path) {
    owner_ = inode;
    if (inode != noted_) note_file(inode, path);
  }
  // Blocks modified from now on are the file system's own: bitmaps, superblock.
  void about_file_system() { owner_ = ino_nr{}; }
  ino_nr owner() const { return owner_; }

  // For the checkpoint alone: the volume whose blocks get shadows, null when it cannot be pulled or
  // no shadows are taken (hold=0); and the room from which slots are taken, the outermost
  // operation's.
  checkpoint::volume* shadowed() const { return shadowed_; }
  checkpoint::reservation& room();

  // Between its first change and its end (or end_step) it cannot be given up: a read then waits for
  // an absent stick (require_stick). A part that has changed nothing can fail by itself.
  bool is_in_a_change() const { return in_a_change_; }
  // What was changed so far is whole: the operation may end here.
  void end_step() { in_a_change_ = false; }
  // From now on it cannot be given up. Each change of a block says so; what changes an inode in
  // memory, or has no way back, says it before.
  void begin_step() {
    for (operation* op = this; op; op = op->outer_) op->in_a_change_ = true;
  }

  // The innermost operation of the current task on this device's disk; null when there is none.
  static operation* current(dev_id dev);

  list_link<operation> link;

 private:
  void note_file(ino_nr inode, checkpoint::noted_path& path);

  dev_id dev_;
  ino_nr owner_;
  ino_nr noted_;  // the file that was noted last in the volume's file_notes
  task_struct* task_;
  operation* outer_ = nullptr;  // the operation this one is a part of
  bool in_a_change_ = false;
  checkpoint::volume* shadowed_ = nullptr;
  checkpoint::volume_use use_;            // only an outermost one, on a device that can be pulled
  checkpoint::volume* volume_ = nullptr;  // likewise
  checkpoint::reservation room_;          // likewise
};
