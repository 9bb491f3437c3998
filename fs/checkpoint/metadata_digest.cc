#include "fs/checkpoint/metadata_digest.h"

#include <algorithm>
#include <bit>

#include "fs/checkpoint/region.h"

namespace checkpoint {

metadata_digest::~metadata_digest() {
  if (list_) list_->remove(*this);
}

void metadata_digest::begin(list& of_volume, dev_id dev, block_nr first, u32 blocks, lba address) {
  dev_ = dev;
  first_ = first;
  address_ = address;
  blocks_ = std::min(blocks, MOST_BLOCKS);
  known_.fill(UNKNOWN);
  if (list_) return;
  list_ = &of_volume;
  list_->push_back(*this);
}

u64 metadata_digest::hash(std::span<const byte, BLOCK_SIZE> content) {
  u64 sum = 0;
  for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i)
    sum = std::rotl(sum, 1) ^ hash_of(std::span<const byte, SECTOR_SIZE>(
                                  content.data() + size_t{i} * SECTOR_SIZE, SECTOR_SIZE));
  return std::max(sum, GIVEN_UP + 1);
}

void metadata_digest::learn_read(u32 index, std::span<const byte, BLOCK_SIZE> content) {
  if (known_[index] == UNKNOWN) known_[index] = hash(content);
}

void metadata_digest::learn(block_nr block, std::span<const byte, BLOCK_SIZE> content) {
  u64& known = known_[block.value() - first_.value()];
  if (known != GIVEN_UP) known = hash(content);
}

// A block of another name may begin in the middle of one of these: then it is a part of two.
void metadata_digest::lose(dev_id dev, lba at) {
  for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i)
    if (const u32 index = (at + i - address_) / SECTORS_PER_BLOCK; index < blocks_)
      if (known_[index] != GIVEN_UP) known_[index] = dev == dev_ ? UNKNOWN : GIVEN_UP;
}

void metadata_digest::forget_all() {
  for (u64& known : known_)
    if (known != GIVEN_UP) known = UNKNOWN;
}

}  // namespace checkpoint
