// ll_rw_block: the interface between the buffer cache and the drivers.
#pragma once

#include "drivers/block/block_device.h"

// Starts I/O on a buffer; its b_dev is the name of the device (genhd.h). The buffer is pinned
// (b_count) and unlocked. Returns when the request is queued; wait_on_buffer waits for its end. May
// sleep until a request is free. If the name means no device, the I/O ends at once with enxio or
// enodev, and b_end_io is called.
void ll_rw_block(block_command cmd, buffer_head& bh);
