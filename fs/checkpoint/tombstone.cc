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
auto find_tombstone(const media_identity& identity, const fingerprint& places) {
  return std::ranges::find_if(all_tombstones(), [&](const tombstone& t) {
    return t.identity == identity && t.places.agrees_with(places);
  });
}

void remove(std::span<tombstone>::iterator at) {
  std::move(at + 1, all_tombstones().end(), at);
  tombstones[--nr_tombstones] = {};
}

}  // namespace

void bury(const media_identity& identity, const fingerprint& places, u32 blocks) {
  blocks += buried_blocks(identity, places);
  if (blocks == 0) return;
  forget_tombstone(identity, places);
  if (nr_tombstones == NR_TOMBSTONES) remove(all_tombstones().begin());
  tombstones[nr_tombstones++] = {identity, places, blocks};
}

u32 buried_blocks(const media_identity& identity, const fingerprint& places) {
  const auto found = find_tombstone(identity, places);
  return found == all_tombstones().end() ? 0 : found->blocks;
}

void forget_tombstone(const media_identity& identity, const fingerprint& places) {
  const auto found = find_tombstone(identity, places);
  if (found != all_tombstones().end()) remove(found);
}

}  // namespace checkpoint
