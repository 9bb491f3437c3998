// Taking and giving back shadows: what the buffer cache tells the checkpoint about each block, in
// the order of a block's life. All are no-ops for a device that cannot be pulled.
#pragma once

#include <span>

#include "fs/checkpoint/operation.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// The block is about to be changed. `content` is what the buffer holds, `known` whether that is
// what the medium holds or will hold (not so for a block that was never read). Takes the block's
// slot if it has none. Never sleeps. False, and nothing was done: wait_to_change, then try again.
bool before_change(operation& op, block_nr block, std::span<const byte, BLOCK_SIZE> content,
                   bool known);
// Sleeps while a replay runs or a flush is needed. Errors: eio when the volume has been given up.
result<void> wait_to_change(operation& op, block_nr block);
// The block was changed since before_change, without a sleep: [offset, offset + length) of content
// is new. Never sleeps. Tells whether the buffer is to be written (false while the stick is away:
// the replay will do it).
bool changed(operation& op, block_nr block, std::span<const byte, BLOCK_SIZE> content, u32 offset,
             u32 length);

// Read-your-writes: fills `to` from the block's shadow, if it has one. Never sleeps.
bool restore(dev_id dev, block_nr block, std::span<byte, BLOCK_SIZE> to);

// The block was handed to the driver / the driver is done with it. Never sleep.
void issued(dev_id dev, block_nr block);
// `sent`: the device may have seen the write.
void written(dev_id dev, block_nr block, result<void> outcome, bool sent);

// The block was freed: its content is nobody's. Sleeps while a replay runs.
void forget(dev_id dev, block_nr block);

// Whether the block has a shadow: its content is safe though its buffer be dropped.
bool shadowed(dev_id dev, block_nr block);

// Flushes the device's write cache and gives back the shadows of what is durable by it (rule 3). A
// device that lost its cache meanwhile gets the blocks once more, from the region. At once when
// nothing was written since the last one. Sleeps. Errors: eio, enodev.
result<void> barrier(dev_id dev);

}  // namespace checkpoint
