// Writes dirty buffers to their disk: both ways of synchronising use this (the book, 5.6). No inode
// is used here, and no inode lock taken.
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

// Writes every dirty buffer of the disk and waits for the end of the writes: way 2. Sleeps,
// uninterruptibly. Errors: the first error of a buffer that is still dirty afterwards.
result<void> write_buffers(dev_id disk);
// The same for the whole disk of `dev`, and then checkpoint::barrier: SYNCHRONIZE CACHE, and the
// shadows of what is durable are freed; both once more if the disk loses its write cache meanwhile,
// at most three times. sync uses it, and a full region. Sleeps, uninterruptibly.
// Errors: eio (also when the volume was given up meanwhile), enodev (the stick is away: nothing is
// lost).
result<void> flush_buffers(dev_id dev);
