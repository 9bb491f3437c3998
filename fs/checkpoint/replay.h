// replay: writes the held blocks to the stick that has come back.
#pragma once

#include "drivers/block/block_device.h"
#include "fs/checkpoint/volume.h"
#include "lib/result.h"

namespace checkpoint {

struct replay_summary {
  u32 blocks;  // that were held
  duration took;
};

// verify → replay → live (or from conflict, when the user forces it): writes the set to the device,
// flushes, and frees all shadows in one step (rule 7). After an error, also a pull, the volume is
// absent again and its whole set is still held. Sleeps, uninterruptibly. Errors: eio, erofs,
// enodev.
result<replay_summary> replay(volume& v, block_device& device);

}  // namespace checkpoint
