// replay: the way of the held blocks onto the stick that has come back.
#pragma once

#include "drivers/block/block_device.h"
#include "fs/checkpoint/volume.h"
#include "lib/result.h"

namespace checkpoint {

struct replay_summary {
  u32 blocks;
  duration took;
};

// verify → replay → live (or from conflict, when the user forces it): writes the set to the device,
// flushes, and gives all shadows back at once (rule 7). A pull meanwhile leaves the volume absent
// again, and whole. Sleeps. Errors: eio, enodev; the volume is absent then.
result<replay_summary> replay(volume& v, block_device& device);

}  // namespace checkpoint
