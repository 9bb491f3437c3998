#include "fs/checkpoint/tombstone.h"

#include <array>

namespace checkpoint {

namespace {

constexpr u32 NR_TOMBSTONES = 8;
constinit std::array<tombstone, NR_TOMBSTONES> tombstones{};
constinit u32 next_tombstone = 0;

}  // namespace

void bury(const media_identity& identity, u32 blocks) {
  tombstones[next_tombstone++ % NR_TOMBSTONES] = {identity, blocks};
}

u32 buried_blocks(const media_identity& identity) {
  u32 blocks = 0;
  for (const tombstone& t : tombstones)
    if (t.blocks > 0 && t.identity == identity) blocks += t.blocks;
  return blocks;
}

void forget_tombstone(const media_identity& identity) {
  for (tombstone& t : tombstones)
    if (t.identity == identity) t = {};
}

}  // namespace checkpoint
