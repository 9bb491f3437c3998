#include "fs/checkpoint/tombstone.h"

#include <algorithm>
#include <array>
#include <span>

namespace checkpoint {

namespace {

constexpr u32 NR_TOMBSTONES = 8;
constinit std::array<tombstone, NR_TOMBSTONES> tombstones{};  // the first nr_tombstones are set,
constinit u32 nr_tombstones = 0;                              // the oldest first

std::span<tombstone> all_tombstones() { return std::span(tombstones).first(nr_tombstones); }

// The tombstone of this medium; end() when it has none.
auto find_tombstone(const media_identity& identity) {
  return std::ranges::find(all_tombstones(), identity, &tombstone::identity);
}

}  // namespace

void bury(const media_identity& identity, u32 blocks) {
  blocks += buried_blocks(identity);
  if (blocks == 0) return;
  forget_tombstone(identity);
  if (nr_tombstones == NR_TOMBSTONES) forget_tombstone(media_identity(tombstones[0].identity));
  tombstones[nr_tombstones++] = {identity, blocks};
}

u32 buried_blocks(const media_identity& identity) {
  const auto found = find_tombstone(identity);
  return found == all_tombstones().end() ? 0 : found->blocks;
}

void forget_tombstone(const media_identity& identity) {
  const auto found = find_tombstone(identity);
  if (found == all_tombstones().end()) return;
  std::move(found + 1, all_tombstones().end(), found);
  tombstones[--nr_tombstones] = {};
}

}  // namespace checkpoint
