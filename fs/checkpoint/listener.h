// listener: the six functions by which the checkpoint calls the layers above it: the buffer cache,
// and the report of a loss. They are registered once at boot, before the first device
// (fs/replug/replugd.cc).
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

struct volume;

struct listener {
  // The region is full: write the dirty blocks of this disk and flush it, so that shadows are given
  // back. Sleeps. Errors: eio, enodev (the stick is away: nothing is lost).
  result<void> (*make_room)(dev_id disk) = nullptr;
  // The stick was pulled: the cache makes its dirty blocks clean, as the region has their content.
  // Returns how many there were. Never sleeps.
  u32 (*let_go)(dev_id disk) = nullptr;
  // The cache discards all blocks of this disk, also dirty ones: the volume was given up, or its
  // name becomes free for another stick. Never sleeps.
  void (*discard)(dev_id disk) = nullptr;
  // The device has answered a write of this block by the cache with an error. What the region
  // writes itself, for a flush or at a replay, is not told: it is tried again until the flush
  // succeeds or says so. `owner`: the inode that the block belongs to; 0: the file system itself,
  // or not known. Never sleeps.
  void (*tell_refusal)(dev_id dev, block_nr block, ino_nr owner) = nullptr;
  // The volume has become degraded, refuses more blocks than before, or is live again: report it.
  // Never sleeps.
  void (*tell_health)(const volume& v) = nullptr;
  // The volume is about to be given up, its set is still complete: report the files that lose data.
  // Never sleeps.
  void (*tell_loss)(const volume& v) = nullptr;
};

void set_listener(const listener& calls);
// The registered functions; before set_listener, functions that do nothing.
const listener& upward();

}  // namespace checkpoint
