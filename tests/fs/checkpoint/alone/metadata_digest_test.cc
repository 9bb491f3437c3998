// The digest by itself: what it knows after each of its calls.
#include "fs/checkpoint/metadata_digest.h"

#include <gtest/gtest.h>

#include <memory>

namespace {

using checkpoint::metadata_digest;

constexpr dev_id disk(8, 0), partition(8, 1);
constexpr block_nr first{2};
constexpr lba address{68};  // of `first`, in a partition that begins at sector 64
constexpr std::array<byte, BLOCK_SIZE> old_content{byte{1}}, new_content{byte{2}};

// Of `blocks` blocks, all with the old content.
struct known_blocks {
  metadata_digest::list list;
  std::unique_ptr<metadata_digest> digest = std::make_unique<metadata_digest>();

  explicit known_blocks(u32 blocks) {
    digest->begin(list, partition, first, blocks, address);
    for (u32 i = 0; i < digest->blocks(); ++i) digest->learn_read(i, old_content);
  }
};

TEST(metadata_digest, knows_what_was_read) {
  known_blocks three(3);
  for (u32 i = 0; i < 3; ++i) {
    EXPECT_TRUE(three.digest->is_known(i));
    EXPECT_TRUE(three.digest->matches(i, old_content));
    EXPECT_FALSE(three.digest->matches(i, new_content));
  }
}

TEST(metadata_digest, tells_each_byte_of_a_block) {
  known_blocks one(1);
  for (u32 i = 0; i < BLOCK_SIZE; ++i) {
    std::array<byte, BLOCK_SIZE> changed = old_content;
    changed[i] ^= byte{0x80};
    EXPECT_FALSE(one.digest->matches(0, changed)) << i;
  }
}

TEST(metadata_digest, knows_no_block_between_the_begin_of_its_write_and_the_flush) {
  known_blocks three(3);
  three.digest->write_begins(partition, address + SECTORS_PER_BLOCK);
  EXPECT_TRUE(three.digest->is_known(0));
  EXPECT_FALSE(three.digest->is_known(1));
  EXPECT_TRUE(three.digest->is_known(2));
  three.digest->learn_durable(partition, first + 1, new_content);
  EXPECT_TRUE(three.digest->matches(1, new_content));
}

// Its write may have come before the read.
TEST(metadata_digest, keeps_what_is_durable_when_an_earlier_read_ends) {
  known_blocks one(1);
  one.digest->write_begins(partition, address);
  one.digest->learn_durable(partition, first, new_content);
  one.digest->learn_read(0, old_content);
  EXPECT_TRUE(one.digest->matches(0, new_content));
}

TEST(metadata_digest, gives_up_what_is_written_through_another_name) {
  for (const u32 before : {0u, 1u, 2u, 3u, 4u}) {  // where the other name's block begins
    known_blocks one(1);
    one.digest->write_begins(disk, lba(address.value() - 2 + before));
    const bool overlaps = before > 0 && before < 4;
    EXPECT_EQ(one.digest->is_known(0), !overlaps) << before;
    EXPECT_TRUE(one.digest->answers_for(partition, first));
    one.digest->learn_durable(disk, first, new_content);
    one.digest->learn_durable(partition, first, new_content);
    one.digest->learn_read(0, new_content);
    one.digest->forget_all();
    EXPECT_EQ(one.digest->answers_for(partition, first), overlaps);
  }
}

TEST(metadata_digest, answers_for_its_own_blocks_only) {
  known_blocks three(3);
  EXPECT_TRUE(three.digest->answers_for(partition, first));
  EXPECT_TRUE(three.digest->answers_for(partition, first + 2));
  EXPECT_FALSE(three.digest->answers_for(partition, first + 3));
  EXPECT_FALSE(three.digest->answers_for(partition, block_nr{first.value() - 1}));
  EXPECT_FALSE(three.digest->answers_for(disk, first));
  three.digest->write_begins(partition, address);
  EXPECT_FALSE(three.digest->answers_for(partition, first));
}

TEST(metadata_digest, knows_no_more_blocks_than_it_has_room_for) {
  constexpr u32 most = metadata_digest::MOST_BLOCKS;
  for (const u32 blocks : {most - 1, most, most + 1}) {
    known_blocks many(blocks);
    EXPECT_EQ(many.digest->blocks(), std::min(blocks, most));
    const u32 last = std::min(blocks, most) - 1;
    EXPECT_TRUE(many.digest->is_known(last));
    for (const u32 beyond : {last + 1, last + 2}) {
      many.digest->write_begins(disk, address + beyond * SECTORS_PER_BLOCK);
      many.digest->learn_durable(partition, first + beyond, new_content);
    }
    EXPECT_TRUE(many.digest->matches(last, old_content));
  }
}

TEST(metadata_digest, leaves_the_list_at_its_end) {
  known_blocks one(1);
  EXPECT_EQ(one.list.size(), 1u);
  one.digest->begin(one.list, partition, first, 1, address);
  EXPECT_EQ(one.list.size(), 1u);
  EXPECT_FALSE(one.digest->is_known(0));
  one.digest.reset();
  EXPECT_TRUE(one.list.empty());
}

}  // namespace
