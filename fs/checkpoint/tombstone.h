// Tombstones: the last eight sticks that were given up with blocks unwritten, known by their
// identity, so that such a stick is marked for fsck when it comes back. A ninth replaces the
// oldest. A stick that is given up once more has one tombstone, which becomes the newest. Nothing
// here sleeps.
#pragma once

#include "drivers/block/block_device.h"

namespace checkpoint {

struct tombstone {
  media_identity identity;
  u32 blocks = 0;  // how many were not written
};

// Remembers that `blocks` blocks of this medium were given up.
void bury(const media_identity& identity, u32 blocks);
// How many blocks of this medium were given up; 0 for a medium without a tombstone.
u32 buried_blocks(const media_identity& identity);
void forget_tombstone(const media_identity& identity);

}  // namespace checkpoint
