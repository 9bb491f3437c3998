// barrier: what was written becomes durable, and the shadows of that are given back (rule 3).
#pragma once

#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// Flushes the device's write cache and gives back the shadows of what is durable by it. A flush
// that fails proves nothing, and the device may have dropped its cache with the error; nor does one
// prove anything that a loss of the cache came before. Then the blocks are written once more, from
// the region, and flushed again, a few times. At once when nothing was written since the last
// barrier. Sleeps. Errors: eio, enodev.
result<void> barrier(dev_id dev);

}  // namespace checkpoint
