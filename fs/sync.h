// Way 1: everything that is dirty becomes durable (the book's sys_sync and sync_dev in buffer.c,
// sync_inodes in inode.c): first inodes are written into their buffers, then the buffers to the
// device. All sleep; the caller holds no inode lock.
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

// Every volume that is plugged in; absent ones are skipped. Returns when everything that was dirty
// at the call is durable (SYNCHRONIZE CACHE included). Errors: the first write error since the last
// report, also of earlier writes; it is reported once.
result<void> sys_sync();
// The same for one device; the buffers of its whole disk are written and flushed. What had failed
// before and has succeeded now is no error. Errors: eio; enodev when it is absent.
result<void> sync_dev(dev_id dev);

// Whether the stick is there and this error came from it: not from a signal, from files that are
// open, or from a pull.
inline bool is_of_the_medium(error e) {
  return e != error::eintr && e != error::ebusy && e != error::enodev && e != error::absent;
}

// Writes the dirty inodes of a device (dev_id{}: of all) into their blocks, and frees the orphans:
// files without names whose stick was away when they were closed. Inodes of absent sticks are
// skipped. Errors: the first that one of the writes had; the others are written all the same.
result<void> sync_inodes(dev_id dev);
// Whether an inode of the disk is dirty although no task has locked it: the block that stores it
// cannot be read. The disk's buffers and its set do not have this change. Never sleeps.
bool has_stuck_inodes(dev_id disk);
