// operation: one change of a file system that must happen whole – the room for it in the checkpoint
// region is reserved before its first block is dirtied (checkpoint rule 1).
//
//   {
//     operation op = TRY(operation::begin(dev));  // the only wait for room or for the stick
//     TRY(buffer.modify(op, …)); …                // no wait for room; also with the stick gone
//   }                                             // the end: what was not used is given back
//
// - Begin before taking any inode lock, hold nothing that a flush could need.
// - An operation that has begun is completed even when the stick is pulled in its middle: its
//   changes are in memory and in the region, and go out at the replay. Metadata that it must read
//   meanwhile makes it wait for the stick (rule 4).
// - An operation begun inside another of the same task and device is part of it and shares its
//   room.
// - A long write is many operations: begin one for every few blocks.
#pragma once

#include <string_view>

#include "fs/checkpoint/region.h"
#include "hal/task.h"
#include "lib/ids.h"
#include "lib/intrusive_list.h"
#include "lib/result.h"

// The most different blocks that one operation may dirty: enough for every system call that changes
// names (two directories, inodes, indirect blocks and all sixteen bitmap blocks).
constexpr u32 OPERATION_BLOCKS = 32;

namespace checkpoint {
struct volume;
}

class [[nodiscard]] operation {
 public:
  // Sleeps while the region is full (the volume is flushed then) or the stick is absent (at most
  // io_wait, interruptibly). Errors: eio (absent too long, given up, or the flush failed), eintr,
  // erofs, and enodev for a device that does not exist.
  static result<operation> begin(dev_id dev);

  operation(operation&& other) noexcept;
  operation& operator=(operation&&) = delete;
  ~operation();

  dev_id dev() const { return dev_; }

  // From now on the blocks that are modified belong to this inode; its path names it on the console
  // should its data ever be lost.
  void about(ino_nr inode, const char* path) {
    owner_ = inode;
    if (inode != noted_) note_file(inode, path);
  }
  // From now on they are the file system's own structures.
  void about_file_system() { owner_ = ino_nr{}; }
  ino_nr owner() const { return owner_; }

  // For the checkpoint alone: the volume whose blocks need shadows, null when it cannot be pulled
  // or no shadows are taken at all; and the room that its slots are taken from.
  checkpoint::volume* shadowed() const { return shadowed_; }
  checkpoint::reservation& room();

  // The operation that the current task has begun on this device's disk, null when there is none.
  static operation* current(dev_id dev);

  list_link<operation> link;

 private:
  operation(dev_id dev, operation* outer, checkpoint::reservation room = {});
  void note_file(ino_nr inode, const char* path);

  dev_id dev_;
  ino_nr owner_;
  ino_nr noted_;  // the file that the volume has been told of
  task_struct* task_;
  operation* outer_;  // the operation this one is a part of
  checkpoint::volume* shadowed_ = nullptr;
  checkpoint::volume* volume_ = nullptr;  // only an outermost one, on a device that can be pulled
  checkpoint::reservation room_;          // likewise
};
