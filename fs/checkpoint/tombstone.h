// Tombstones: sticks that were given up with blocks unwritten, remembered by how they describe
// themselves, so that one that comes back later is marked for fsck. The oldest gives way.
#pragma once

#include "drivers/block/block_device.h"

namespace checkpoint {

struct tombstone {
  media_identity identity;
  u32 blocks = 0;  // that were not written; 0: no tombstone
};

void bury(const media_identity& identity, u32 blocks);
// How many blocks this medium lost while it was away; 0 for one that was never given up.
u32 buried_blocks(const media_identity& identity);
void forget_tombstone(const media_identity& identity);

}  // namespace checkpoint
