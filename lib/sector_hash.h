// A keyed 64-bit hash of one 512-byte sector: NH, the universal hash inside UMAC (RFC 4418, 5.2.2).
//
// The sum over word pairs of (m[i] + k[i]) * (m[i+1] + k[i+1]), in 64 bits. For two different
// sectors chosen without knowledge of the key, the chance to collide is at most 2^-32: a bound that
// a CRC does not give, since its collisions can be made on purpose. It costs about one instruction
// per byte on the i386.
#pragma once

#include <array>
#include <span>

#include "lib/ids.h"
#include "lib/types.h"

class sector_hasher {
 public:
  // Derives the key from a seed that is unknown outside the machine (boot time, counters).
  explicit constexpr sector_hasher(u64 seed) {
    for (u32& word : key_) word = next_key_word(seed);
  }

  u64 operator()(std::span<const byte, SECTOR_SIZE> sector) const;

 private:
  // One step of SplitMix64 (Steele, Lea and Flood, 2014): spreads the seed over the key.
  static constexpr u32 next_key_word(u64& state) {
    u64 z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return static_cast<u32>(z >> 32);
  }

  std::array<u32, SECTOR_SIZE / 4> key_{};
};
