// The judge itself is tested: minix_image must find planted damage, and so must fsck.minix in the
// way it is called.
#include "tests/fs/minix_image.h"

#include <gtest/gtest.h>

#include <cstring>

namespace {

using sim::minix_image;

constexpr size_t inode_map = 2 * 1024;
constexpr size_t zone_map = 3 * 1024;
constexpr size_t inode_table = 4 * 1024;
constexpr size_t root_directory = 6 * 1024;  // 64 inodes fill two blocks

std::vector<byte> planted(size_t offset, std::initializer_list<int> values) {
  std::vector<byte> image = sim::mkfs_minix(360);
  for (int value : values) image[offset++] = static_cast<byte>(value);
  return image;
}

TEST(minix_image, a_fresh_one_is_empty_and_sound) {
  for (u32 name_length : {14u, 30u}) {
    const auto image = sim::mkfs_minix(360, 64, name_length);
    EXPECT_EQ(minix_image(image).problem_text(), "");
    EXPECT_TRUE(minix_image(image).files().empty());
    EXPECT_EQ(minix_image(image).state(), 1);
    EXPECT_EQ(sim::fsck_minix(image), "");
  }
}

// Damage of every kind that a lost or torn write could leave.
TEST(minix_image, planted_damage_is_found) {
  const std::vector<std::vector<byte>> damaged = {
      planted(inode_map, {0x07}),            // an unused inode marked
      planted(zone_map, {0x07}),             // an unused zone marked
      planted(zone_map, {0x01}),             // the root's zone not marked
      planted(inode_table + 13, {5}),        // wrong link count
      planted(root_directory + 32, {9, 0}),  // .. names an inode that is none
  };
  for (size_t i = 0; i < damaged.size(); ++i) {
    EXPECT_NE(minix_image(damaged[i]).problem_text(), "") << i;
    EXPECT_NE(sim::fsck_minix(damaged[i]), "") << i;
  }
}

TEST(minix_image, no_file_system_is_a_problem) {
  EXPECT_NE(minix_image(std::vector<byte>(64 * 1024)).problem_text(), "");
  EXPECT_NE(minix_image(std::vector<byte>(10)).problem_text(), "");
}

}  // namespace
