// The checkpoint region: a secure copy of every block that is dirty on a removable medium, so that
// the medium may be pulled at any moment. docs/checkpoint.md tells it at length and numbers the
// rules that are cited here.
//
// This file is what the buffer cache and the file system ask about a device. The checkpoint lies
// below both: it speaks of (device, block, bytes), never of buffers or inodes, and asks upward
// through listener.h alone.
#pragma once

#include "fs/checkpoint/settings.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// `slots` blocks of region; 0 sizes it by memory. Called once at boot, before the first device and
// after the settings were made.
void init(u32 slots);

// Waits until the volume of `dev` is live again. Inside an operation: uninterruptibly, until it is
// given up; otherwise interruptibly, at most io_wait. At once true for a device that is not
// removable. Errors: eio (too long, or given up), eintr.
result<void> wait_live(dev_id dev);
// Whether the stick of this volume is away (or not verified yet) now. Never sleeps.
bool absent(dev_id dev);
// Whether the volume was given up: everything on it answers eio until it is unmounted.
bool dead(dev_id dev);

// umount asks: gives up what is held (force), or waits for the stick, interruptibly, until nothing
// is. Errors: eintr, eio when it was given up meanwhile.
result<void> settle(dev_id dev, bool force);
// The volume is unmounted: it is forgotten if nothing is held, its name is free if its stick is
// away.
void unmounted(dev_id dev);
// A file system was mounted on it: it is a volume from now on, also while nothing is dirty.
void mounted(dev_id dev);

// How many blocks of this medium were given up before it came back: its file system may have
// suffered. Told once.
u32 blocks_lost(dev_id dev);

}  // namespace checkpoint
