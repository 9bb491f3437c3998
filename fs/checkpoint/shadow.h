// The buffer cache reports the writes of a block to the checkpoint, and reads the block's shadow.
// How a shadow is made: change.h. All do nothing for a device that cannot be pulled.
#pragma once

#include <span>

#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// Whether the block has a shadow, so that its buffer may be reused without a loss. Never sleeps.
bool shadowed(dev_id dev, block_nr block);
// Read-your-writes: copies the block's shadow to `to`. False: it has none. Never sleeps.
bool restore(dev_id dev, block_nr block, std::span<byte, BLOCK_SIZE> to);

// issued: the write of the block is passed to the driver now. written: it has ended with `outcome`.
// Never sleep.
void issued(dev_id dev, block_nr block);
// `sent`: the write left the queue, so the device may have executed it, also after an error.
void written(dev_id dev, block_nr block, result<void> outcome, bool sent);

// The block was freed and its content is not needed any more: frees its shadow. Sleeps while a
// replay runs or lost slots are written, uninterruptibly.
void forget(dev_id dev, block_nr block);

}  // namespace checkpoint
