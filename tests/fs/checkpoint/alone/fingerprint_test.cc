// The fingerprint of a medium learns its places from the blocks that become durable.
#include "fs/checkpoint/fingerprint.h"

#include <gtest/gtest.h>

namespace {

using checkpoint::fingerprint;

constexpr u32 sectors = 8000;

// A block of a partition may begin at an odd sector: then a place is its second one.
TEST(fingerprint, learns_a_place_from_each_block_that_has_its_sector) {
  std::array<byte, BLOCK_SIZE> block{};
  block[0] = byte{1};
  block[SECTOR_SIZE] = byte{2};
  const std::span<const byte, BLOCK_SIZE> content(block);
  for (u32 i = 0; i < fingerprint::PLACES; ++i)
    for (const u32 sector : {0u, 1u}) {
      fingerprint places(sectors);
      if (places.place(i).value() < sector) continue;
      places.learn_block(places.place(i) - sector, content);
      ASSERT_TRUE(places.is_known(i)) << i << ", " << sector;
      const auto learnt = content.subspan(size_t{sector} * SECTOR_SIZE).first<SECTOR_SIZE>();
      EXPECT_TRUE(places.matches(i, learnt));
      for (u32 other = 0; other < fingerprint::PLACES; ++other)
        EXPECT_EQ(places.is_known(other), other == i);
    }
}

TEST(fingerprint, learns_nothing_from_the_blocks_beside_a_place) {
  const std::array<byte, BLOCK_SIZE> block{};
  for (u32 i = 0; i < fingerprint::PLACES; ++i) {
    fingerprint places(sectors);
    places.learn_block(places.place(i) + 1, block);
    EXPECT_FALSE(places.is_known(i)) << i;
    if (places.place(i).value() < 2) continue;
    places.learn_block(places.place(i) - 2, block);
    EXPECT_FALSE(places.is_known(i)) << i;
  }
}

// A partition and the whole disk have slots of their own for the same sectors.
TEST(fingerprint, gives_up_a_place_that_is_written_through_two_names) {
  constexpr dev_id disk(8, 0), partition(8, 1);
  const std::array<byte, BLOCK_SIZE> block{};
  for (const bool twice : {false, true}) {
    fingerprint places(sectors);
    const lba at = places.place(3);
    places.write_begins(partition, at);
    places.write_begins(twice ? disk : partition, at);
    places.learn_block(at, block);
    EXPECT_EQ(places.is_known(3), !twice);
    places.write_begins(partition, at);
    places.learn_block(at, block);
    EXPECT_EQ(places.is_known(3), !twice);
  }
}

}  // namespace
