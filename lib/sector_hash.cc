#include "lib/sector_hash.h"

u64 sector_hasher::operator()(std::span<const byte, SECTOR_SIZE> sector) const {
  u64 sum = 0;
  for (size_t i = 0; i < key_.size(); i += 2) {
    u32 pair[2];
    __builtin_memcpy(pair, sector.data() + 4 * i, sizeof pair);  // inlined; std::memcpy is a call
    sum += u64{pair[0] + key_[i]} * (pair[1] + key_[i + 1]);
  }
  return sum;
}
