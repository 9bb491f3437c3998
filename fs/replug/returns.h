// returns: a stick that has arrived is compared with the missing ones. A missing one is verified
// and replayed.
#pragma once

#include "drivers/block/genhd.h"
#include "fs/checkpoint/volume.h"
#include "lib/result.h"

namespace checkpoint {

enum class place : u8 {
  taken,       // it is a missing stick: it has its name again, or was refused (a conflict)
  waits,       // it is a missing stick or resembles one, and gets no name before something changes
  unreadable,  // it could not be compared, and is to be tried again
  free,        // it is no missing stick: it may get a name of its own
};

// Compares the stick with every missing volume and takes it back, if it is one of them. Sleeps.
// Meanwhile it may be pulled; then the answer means nothing.
place find_place(block_device& device);

// Writes the held blocks to the stick, in whatever state the volume is, and reports the return.
// Sleeps. Errors: enodev (pulled).
result<void> replay_to(volume& v, block_device& device);

}  // namespace checkpoint
