#include "fs/checkpoint/fingerprint.h"

#include <algorithm>
#include <utility>

#include "fs/checkpoint/region.h"

namespace checkpoint {

namespace {

// The index of a place's sector in a block that begins at `at`; SECTORS_PER_BLOCK or more: outside.
u32 sector_in_block(lba place, lba at) { return place.value() - at.value(); }

}  // namespace

bool is_distinctive(std::span<const byte> content) {
  const byte first = content.front();
  if (first != byte{0} && first != byte{0xff}) return true;
  return !std::ranges::all_of(content, [=](byte b) { return b == first; });
}

fingerprint::fingerprint(u32 sectors) {
  constexpr u32 super_block = SECTORS_PER_BLOCK;
  for (u32 i = 0; i < PLACES; ++i) {
    const u32 even = static_cast<u32>(u64{sectors} * i / PLACES) / SECTORS_PER_BLOCK;
    places_[i].at = lba(i == 1 ? super_block : even * SECTORS_PER_BLOCK);
    sieve_ |= sieve_bit(places_[i].at);
  }
}

void fingerprint::learn(u32 index, std::span<const byte, SECTOR_SIZE> content) {
  places_[index].known = !places_[index].given_up;
  places_[index].hash = hash_of(content);
}

bool fingerprint::matches(u32 index, std::span<const byte, SECTOR_SIZE> content) const {
  return places_[index].hash == hash_of(content);
}

bool fingerprint::agrees_with(const fingerprint& other) const {
  for (u32 i = 0; i < PLACES; ++i)
    if (is_known(i) && other.is_known(i) && places_[i].hash != other.places_[i].hash) return false;
  return true;
}

void fingerprint::note_writer(dev_id dev, lba at) {
  for (known_sector& place : places_) {
    if (sector_in_block(place.at, at) >= SECTORS_PER_BLOCK) continue;
    const dev_id before = std::exchange(place.writer, dev);
    if (!before || before == dev) continue;
    place.given_up = true;
    place.known = false;
  }
}

void fingerprint::learn_places_in(lba at, std::span<const byte, BLOCK_SIZE> content) {
  for (u32 i = 0; i < PLACES; ++i)
    if (const u32 sector = sector_in_block(places_[i].at, at); sector < SECTORS_PER_BLOCK)
      learn(i, std::span<const byte, SECTOR_SIZE>(content.data() + size_t{sector} * SECTOR_SIZE,
                                                  SECTOR_SIZE));
}

void fingerprint::forget_block(lba at) {
  for (known_sector& place : places_)
    if (sector_in_block(place.at, at) < SECTORS_PER_BLOCK) place.known = false;
}

}  // namespace checkpoint
