// The RAM disk: a block device in memory. It holds the root file system.
#pragma once

#include <span>

#include "drivers/block/block_device.h"

// Makes /dev/ram0 (1,0), with `memory` as its content; the memory belongs to it for ever.
void rd_init(std::span<byte> memory);
