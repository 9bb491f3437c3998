// write_set: slots go to the device straight from the region, past the cache.
#pragma once

#include "drivers/block/block_device.h"
#include "fs/checkpoint/volume.h"
#include "lib/result.h"

namespace checkpoint {

enum class which_slots : u8 { all, lost };

// Writes slots many at a time, and waits. Each slot's state goes the usual way: issued, then
// written, or lost again. Sleeps. Errors: the first that a write met.
result<void> write_set(volume& v, block_device& device, which_slots which);

}  // namespace checkpoint
