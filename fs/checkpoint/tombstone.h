// Tombstones: the last eight sticks that were given up with blocks unwritten, known by their
// descriptors and by what they have at a few places, so that such a stick is marked for fsck when
// it comes back. A ninth replaces the oldest. A stick that is given up once more has one tombstone,
// which becomes the newest. Nothing here sleeps.
#pragma once

#include "drivers/block/block_device.h"
#include "fs/checkpoint/fingerprint.h"

namespace checkpoint {

struct tombstone {
  media_identity identity;
  fingerprint places;
  u32 blocks = 0;  // how many were not written
};

// Remembers that `blocks` blocks of this medium were given up. `places`: without those where a lost
// block stands, as it may have been written or not.
void bury(const media_identity& identity, const fingerprint& places, u32 blocks);
// How many blocks of this medium were given up; 0 for a medium without a tombstone.
u32 buried_blocks(const media_identity& identity, const fingerprint& places);
void forget_tombstone(const media_identity& identity, const fingerprint& places);

}  // namespace checkpoint
