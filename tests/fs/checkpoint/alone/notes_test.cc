// What the checkpoint remembers for its reports: the files with data in a set, and the sticks that
// were given up.
#include <gtest/gtest.h>

#include <string>

#include "fs/checkpoint/file_notes.h"
#include "fs/checkpoint/tombstone.h"
#include "tests/sim/scheduler.h"

namespace {

using namespace checkpoint;

constexpr dev_id sda(8, 0), sda1(8, 1);

noted_path path_of(std::string_view text) {
  noted_path path;
  std::ranges::copy(text, path.text.begin());
  return path;
}

// Notes a file whose path was looked up just now.
void add(file_notes& notes, dev_id dev, ino_nr inode, std::string_view text) {
  noted_path path = path_of(text);
  notes.add(dev, inode, path);
}

TEST(file_notes, have_each_file_once) {
  file_notes notes;
  add(notes, sda, ino_nr{1}, "/one");
  add(notes, sda, ino_nr{1}, "/one");
  add(notes, sda1, ino_nr{1}, "/other");
  add(notes, sda, ino_nr{2}, "/two");
  add(notes, sda, ino_nr{1}, "/again");
  add(notes, sda1, ino_nr{2}, "/2");
  ASSERT_EQ(notes.all().size(), 4u);
  EXPECT_STREQ(notes.all()[0].path.data(), "/again") << "the path that it has now";
  EXPECT_EQ(notes.all()[0].dev, sda);
  EXPECT_EQ(notes.all()[0].inode, ino_nr{1});
  EXPECT_STREQ(notes.all()[1].path.data(), "/other");
  EXPECT_EQ(notes.all()[1].dev, sda1);
  EXPECT_STREQ(notes.all()[2].path.data(), "/two");
  EXPECT_STREQ(notes.all()[3].path.data(), "/2");
  notes.clear();
  EXPECT_TRUE(notes.all().empty());
  add(notes, sda, ino_nr{1}, "/x");
  EXPECT_STREQ(notes.all()[0].path.data(), "/x") << "nothing of the earlier path is left";
}

TEST(file_notes, find_a_file_among_those_with_the_same_remainder) {
  file_notes notes;
  for (const u32 number : {1u, 65u, 129u, 1u, 65u, 129u})
    for (const dev_id dev : {sda, sda1}) add(notes, dev, ino_nr(static_cast<u16>(number)), "/file");
  EXPECT_EQ(notes.all().size(), 6u);
}

TEST(file_notes, end_with_the_sixty_fourth_file) {
  file_notes notes;
  for (u16 i = 1; i <= 65; ++i) add(notes, sda, ino_nr{i}, "/more");
  ASSERT_EQ(notes.all().size(), 64u);
  EXPECT_EQ(notes.all().back().inode, ino_nr{64});
  add(notes, sda, ino_nr{64}, "/renamed");
  EXPECT_STREQ(notes.all().back().path.data(), "/renamed") << "also when there is no room";
}

TEST(file_notes, have_a_path_again_after_they_were_cleared) {
  file_notes notes, others;
  noted_path path = path_of("/one");
  notes.add(sda, ino_nr{1}, path);
  notes.clear();
  notes.add(sda, ino_nr{1}, path);
  ASSERT_EQ(notes.all().size(), 1u);
  EXPECT_STREQ(notes.all()[0].path.data(), "/one");
  others.add(sda, ino_nr{1}, path);
  EXPECT_EQ(others.all().size(), 1u) << "two notes are told apart";
}

media_identity stick(u32 number) {
  media_identity identity;
  identity.sectors = 1000 + number;
  return identity;
}

TEST(tombstones, are_of_the_last_eight_sticks) {
  sim::run(1, [] {
    EXPECT_EQ(buried_blocks(stick(1), {}), 0u);
    for (u32 i = 1; i <= 8; ++i) bury(stick(i), {}, i);
    for (u32 i = 1; i <= 8; ++i) EXPECT_EQ(buried_blocks(stick(i), {}), i);
    bury(stick(9), {}, 9);
    EXPECT_EQ(buried_blocks(stick(1), {}), 0u) << "the ninth replaces the oldest";
    for (u32 i = 2; i <= 9; ++i) EXPECT_EQ(buried_blocks(stick(i), {}), i);
    bury(stick(10), {}, 10);
    EXPECT_EQ(buried_blocks(stick(2), {}), 0u);
    EXPECT_EQ(buried_blocks(stick(9), {}), 9u);
  });
}

TEST(tombstones, of_one_stick_are_added_and_forgotten_together) {
  sim::run(1, [] {
    bury(stick(1), {}, 3);
    bury(stick(2), {}, 5);
    bury(stick(1), {}, 4);
    EXPECT_EQ(buried_blocks(stick(1), {}), 7u);
    EXPECT_EQ(buried_blocks(media_identity{}, {}), 0u) << "an empty place is no stick's";
    forget_tombstone(stick(1), {});
    EXPECT_EQ(buried_blocks(stick(1), {}), 0u);
    EXPECT_EQ(buried_blocks(stick(2), {}), 5u);
  });
}

}  // namespace
