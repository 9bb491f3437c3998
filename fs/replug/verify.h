// verify: is the medium that arrived the one that is missed, and unchanged? By content, never by
// its port, and by its descriptors only to say no (rules 5 and 11). Nothing is written to it here.
#pragma once

#include "drivers/block/genhd.h"
#include "fs/checkpoint/volume.h"

namespace checkpoint {

enum class verdict : u8 {
  same,       // every sector is what it was, or what was on its way
  modified,   // this stick, but changed by somebody else meanwhile: a conflict
  different,  // another stick, whatever its serial number says
};

// Whether the descriptors leave it possible that this is the volume's medium. Never sleeps.
bool may_be(const volume& v, const block_device& device, const partition_table& partitions);

// Reads the medium and judges. Sleeps. Errors: eio, enodev, enomem: no verdict.
result<verdict> verify(const volume& v, block_device& device);

}  // namespace checkpoint
