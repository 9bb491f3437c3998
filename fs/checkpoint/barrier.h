// barrier: completed writes become durable, and their shadows are freed (rule 3).
#pragma once

#include "fs/checkpoint/volume.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

constexpr int FLUSH_TRIES = 3;  // after that many flushes without proof the stick counts as broken

// Flushes the write cache of the device of `dev` (SYNCHRONIZE CACHE) and frees the shadows of all
// blocks whose writes had completed before the flush. If the device lost its cache (a failed flush
// may drop it, so may a reset before), the flush proves nothing: these blocks are written once
// more, from the region, and flushed again; at most three flushes. If the device refuses some of
// them, the flush frees the other shadows all the same, and the error is returned. Returns at once
// when nothing was written since the last barrier. Sleeps, uninterruptibly. Errors: eio (also when
// the volume is given up meanwhile), enodev (absent: the shadows are kept).
//
// Afterwards the volume is degraded while the device refuses some of its blocks, or live again.
result<void> barrier(dev_id dev);

// Flushes once the write cache of the device that the volume is replayed to or lives on, and frees
// the shadows of the blocks written on this plug before. False: nothing is proved, as the flush
// failed or the device has lost its cache; the blocks written before are lost. Sleeps,
// uninterruptibly. Errors: enodev (pulled), eio (nothing is proved and no shadow was taken).
result<bool> flush_once(volume& v, block_device& device);

}  // namespace checkpoint
