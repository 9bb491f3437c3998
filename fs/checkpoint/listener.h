// listener: what the checkpoint asks of the layers above it. It knows devices, blocks and bytes;
// that there is a cache over it, and somebody to be told of a loss, it knows only by these four
// calls. They are registered once at boot, before the first device (fs/replug/replugd.cc).
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

struct volume;

struct listener {
  // The region is full: write the dirty blocks of this disk and flush it, so that shadows are given
  // back. Sleeps. Errors: eio, enodev (the stick is away: nothing is lost).
  result<void> (*make_room)(dev_id disk) = nullptr;
  // The stick was pulled: its dirty blocks need not be written any more, for the region holds their
  // content. Returns how many there were. Never sleeps.
  u32 (*let_go)(dev_id disk) = nullptr;
  // Nothing that is remembered of this disk counts any more, dirty or not: it was given up, or its
  // name becomes free for another stick. Never sleeps.
  void (*discard)(dev_id disk) = nullptr;
  // The volume is about to be given up, with its set still complete: name the files that lose data.
  // Never sleeps.
  void (*tell_loss)(const volume& v) = nullptr;
};

void set_listener(const listener& calls);
// What has been registered. A call that nothing was registered for does nothing.
const listener& upward();

}  // namespace checkpoint
