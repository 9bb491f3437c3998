// replay: the way of the held blocks onto the stick that has come back.
#pragma once

#include "drivers/block/block_device.h"
#include "fs/checkpoint/volume.h"
#include "lib/result.h"

namespace checkpoint {

// Which slots write_set writes: all of them, or those that are on the device but not yet durable.
enum class which_slots : u8 { all, unflushed };

// Writes slots straight from the region to the device, many at a time, and waits. Each slot's state
// goes the usual way: issued, then written or torn. Sleeps. Errors: the first that a write met.
result<void> write_set(volume& v, block_device& device, which_slots which);

// verify → replay → live: the device has been verified; writes the set, flushes, and gives all
// shadows back at once (rule 7). A pull meanwhile leaves the volume absent again, and whole.
// Sleeps. Errors: eio, enodev; the volume is absent then.
result<void> replay(volume& v, block_device& device);

}  // namespace checkpoint
