// Way 1: everything that is dirty becomes durable (the book's sys_sync and sync_dev in buffer.c,
// sync_inodes in inode.c). They stand here because they take both: inodes first, into their
// buffers, then the buffers. All sleep; the caller holds no inode lock.
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

// Every volume that is plugged in; absent ones are skipped. Returns when everything that was dirty
// at the call is durable (SYNCHRONIZE CACHE included), with the first write error, which is then
// forgotten.
result<void> sys_sync();
// The same for one device (with its whole disk's cache flush). Errors: eio; enodev when it is
// absent.
result<void> sync_dev(dev_id dev);

// Writes the dirty inodes of a device into their blocks, or of all for dev_id{}; frees the files
// that had to wait for their stick. Inodes of absent sticks are left alone. Errors: the first met.
result<void> sync_inodes(dev_id dev);
