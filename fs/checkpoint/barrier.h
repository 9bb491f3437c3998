// barrier: completed writes become durable, and their shadows are freed (rule 3).
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// Flushes the write cache of the device of `dev` (SYNCHRONIZE CACHE) and frees the shadows of all
// blocks whose writes had completed before the flush. If the device lost its cache (a failed flush
// may drop it, so may a reset before), the flush proves nothing: these blocks are written once
// more, from the region, and flushed again; at most three flushes. If the device refuses some of
// them, the flush frees the other shadows all the same, and the error is returned. Returns at once
// when nothing was written since the last barrier. Sleeps, uninterruptibly. Errors: eio (also when
// the volume is given up meanwhile), enodev (absent: the shadows are kept).
result<void> barrier(dev_id dev);

}  // namespace checkpoint
