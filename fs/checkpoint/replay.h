// replay: writes the held blocks to the stick that has come back.
#pragma once

#include "drivers/block/block_device.h"
#include "fs/checkpoint/volume.h"
#include "lib/result.h"

namespace checkpoint {

struct replay_summary {
  u32 blocks;  // that were held and are durable now
  duration took;
};

// verify → replay → live (or from conflict, when the user forces it): writes the set to the device,
// flushes, and frees in one step all shadows that the flush proves (rule 7). Blocks that the device
// refuses, or of which it gives no proof, stay held, and the volume is degraded instead of live:
// barrier tries them again. After a pull the volume is absent again and what was not proved is
// still held. Sleeps, uninterruptibly. Errors: enodev (pulled).
result<replay_summary> replay(volume& v, block_device& device);

}  // namespace checkpoint
