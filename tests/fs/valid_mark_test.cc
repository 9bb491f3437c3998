// The superblock says VALID only of a file system that is not mounted, also when the stick is
// pulled in the moment in which the mark is written.
#include <gtest/gtest.h>

#include "fs/checkpoint/checkpoint.h"
#include "fs/replug/power_off.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// Pulls the stick at the next write of the superblock. Until then everything has been synced, so
// that is the write of the mark.
void pull_at_the_mark(medium& stick) {
  stick.fault = [&stick, done = false](block_command cmd, lba first,
                                       u32 sectors) mutable -> std::optional<error> {
    constexpr u32 mark = SECTORS_PER_BLOCK;
    const bool hit = first.value() <= mark && mark < first.value() + sectors;
    if (cmd != block_command::write || !hit || done) return {};
    done = true;
    stick.pull();
    return {};
  };
}

void expect_mounted_and_not_valid(medium& stick, session& process) {
  await_state(sda, volume_state::absent);
  stick.plug();
  await_state(sda, volume_state::live);
  ASSERT_TRUE(process.write("/mnt/file", "text"));
  ASSERT_TRUE(sys_sync());
  EXPECT_EQ(minix_image(stick.durable()).state() & 1, 0) << "VALID although it is mounted";
}

TEST(valid_mark, is_taken_back_when_umount_is_interrupted) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(sys_sync());
    pull_at_the_mark(stick);
    const fiber unmounter =
        spawn("umount", [&] { EXPECT_EQ(process.umount(), fail(error::eintr)); });
    sleep_for(1_s);
    ASSERT_FALSE(unmounter.ended());
    unmounter.signal();
    unmounter.join();
    expect_mounted_and_not_valid(stick, process);
  });
}

TEST(valid_mark, is_taken_back_when_the_machine_stays_on) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(sys_sync());
    pull_at_the_mark(stick);
    EXPECT_FALSE(checkpoint::write_and_unmount_all());
    expect_mounted_and_not_valid(stick, process);
  });
}

}  // namespace
