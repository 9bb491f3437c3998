// The way of dirty buffers to their disk: what both ways of synchronising come to (the book, 5.6).
// No inode is touched here, and no inode lock taken.
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

// Writes every dirty buffer of the disk and waits: what way 2 does. Sleeps. Errors: the first that
// a buffer which is still dirty has met.
result<void> write_buffers(dev_id disk);
// The same and SYNCHRONIZE CACHE, after which the shadows are given back: what a full region asks
// for. Sleeps. Errors: eio, enodev (the stick is away: nothing is lost).
result<void> flush_buffers(dev_id dev);
