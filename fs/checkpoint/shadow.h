// What the buffer cache tells the checkpoint of a block's way to the device, and what it may ask of
// the block's shadow. How a shadow is taken is change.h. All are no-ops for a device that cannot be
// pulled.
#pragma once

#include <span>

#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// Whether the block has a shadow: its content is safe though its buffer be dropped. Never sleeps.
bool shadowed(dev_id dev, block_nr block);
// Read-your-writes: fills `to` from the block's shadow, if it has one. Never sleeps.
bool restore(dev_id dev, block_nr block, std::span<byte, BLOCK_SIZE> to);

// The block was handed to the driver / the driver is done with it. Never sleep.
void issued(dev_id dev, block_nr block);
// `sent`: the device may have seen the write.
void written(dev_id dev, block_nr block, result<void> outcome, bool sent);

// The block was freed: its content does not matter any more. Sleeps while a replay runs.
void forget(dev_id dev, block_nr block);

}  // namespace checkpoint
