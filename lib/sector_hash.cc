#include "lib/sector_hash.h"

namespace {

u32 word_at(std::span<const byte, SECTOR_SIZE> sector, size_t index) {
  u32 word;  // std::memcpy would be a call
  __builtin_memcpy(&word, sector.data() + 4 * index, sizeof word);
  return word;
}

}  // namespace

u64 sector_hasher::operator()(std::span<const byte, SECTOR_SIZE> sector) const {
  u64 sum = 0;
#pragma GCC unroll 8
  for (size_t i = 0; i < key_.size(); i += 2)
    sum += u64{word_at(sector, i) + key_[i]} * (word_at(sector, i + 1) + key_[i + 1]);
  return sum;
}
