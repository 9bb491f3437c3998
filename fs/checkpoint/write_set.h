// write_set: writes slots to the device from the region, without the cache.
#pragma once

#include "drivers/block/block_device.h"
#include "fs/checkpoint/volume.h"
#include "lib/result.h"

namespace checkpoint {

enum class which_slots : u8 { all, lost };

// Writes the slots of the volume's set (all, or those in state lost) to the device, a batch at a
// time, and waits for each batch. A slot is rewriting meanwhile, then written, or after an error
// lost; a slot that fails does not keep the others from being tried. Sleeps, uninterruptibly.
// Errors: the first error of a write.
result<void> write_set(volume& v, block_device& device, which_slots which);

}  // namespace checkpoint
