// ll_rw_block: the door between the buffer cache and the drivers.
#pragma once

#include "drivers/block/block_device.h"

// Starts I/O on a buffer by its device's name (genhd.h). The buffer is pinned (b_count) and
// unlocked. It returns when the request is queued; wait_on_buffer waits for the end. May sleep for
// a free request. A name with nothing behind it ends the I/O at once with enxio or enodev, through
// b_end_io as always.
void ll_rw_block(block_command cmd, buffer_head& bh);
