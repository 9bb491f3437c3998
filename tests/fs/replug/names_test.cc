// A loss is told by the names that the files have, not by those that they had once.
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;

TEST(lost_names, are_of_the_file_that_has_the_inode_now) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/old_name", "x"));
    ASSERT_TRUE(process.unlink("/mnt/old_name"));
    write_and_pull(stick, process, "/mnt/thesis", "x");
    sleep_for(301_s);
    EXPECT_TRUE(said("LOST: /mnt/thesis ("));
    EXPECT_FALSE(said("LOST: /mnt/old_name"));
  });
}

TEST(lost_names, are_the_new_ones_after_a_rename) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/thesis.tmp", "x"));
    ASSERT_TRUE(process.rename("/mnt/thesis.tmp", "/mnt/thesis"));
    pull_from(stick, sda);
    sleep_for(301_s);
    EXPECT_TRUE(said("LOST: /mnt/thesis ("));
  });
}

}  // namespace
