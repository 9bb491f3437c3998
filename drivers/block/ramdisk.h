// The RAM disk: a block device over memory, synchronous. It holds the root file system.
#pragma once

#include <span>

#include "drivers/block/block_device.h"

// Makes /dev/ram0 (1,0) over `memory`, which stays the ram disk's for ever.
void rd_init(std::span<byte> memory);
