// An open block device keeps the name of its volume: a stick that comes meanwhile gets another one.
// A mount that goes on does so too: tests/fs/replug/identity_test.cc.
#include <gtest/gtest.h>

#include "fs/fs.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/files.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

void with_open_disk(const std::function<void(medium&, opened&)>& body) {
  medium stick(numbered_image());
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    opened disk(process.context(), "/dev/sda", abi::o_rdwr);
    body(stick, disk);
  });
}

TEST(volume_uses, an_open_disk_writes_to_no_stick_that_comes_after_it) {
  medium next(numbered_blocks * SECTORS_PER_BLOCK, "NEXT");
  with_open_disk([&](medium& stick, opened& disk) {
    ASSERT_TRUE(disk.write(std::string(1024, 'a')));
    ASSERT_TRUE(sync_file(*disk));
    pull_from(stick, sda);
    plug_as(next, sdb);
    EXPECT_EQ(disk.write(std::string(1024, 'b')), fail(error::eio));
    static_cast<void>(sync_file(*disk));
    EXPECT_EQ(next.count(block_command::write), 0u);
    plug_as(stick, sda);
    EXPECT_TRUE(disk.write(std::string(1024, 'b'))) << "its own has come back";
  });
}

TEST(volume_uses, an_open_disk_without_a_write_keeps_its_name_too) {
  medium next(numbered_blocks * SECTORS_PER_BLOCK, "NEXT");
  with_open_disk([&](medium& stick, opened& disk) {
    pull_from(stick, sda);
    plug_as(next, sdb);
    EXPECT_TRUE(disk.close());
    EXPECT_EQ(state_of(sda), volume_state::none) << "nothing needs the name any more";
  });
}

TEST(volume_uses, no_flush_of_an_open_disk_succeeds_after_its_loss) {
  with_open_disk([](medium& stick, opened& disk) {
    ASSERT_TRUE(disk.write(std::string(1024, 'a')));
    pull_from(stick, sda);
    sleep_for(301_s);
    EXPECT_TRUE(said("LOST"));
    plug_as(stick, sdb);
    EXPECT_EQ(sync_file(*disk), fail(error::eio));
    EXPECT_EQ(sync_file(*disk), fail(error::eio)) << "the second time, too";
    EXPECT_EQ(disk.read(1024), fail(error::eio));
    EXPECT_EQ(disk.close(), fail(error::eio));
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

TEST(volume_uses, every_open_file_of_the_disk_counts) {
  with_open_disk([](medium& stick, opened& disk) {
    opened shared(*share_file(*disk));
    pull_from(stick, sda);
    EXPECT_TRUE(disk.close());
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_TRUE(shared.close());
    EXPECT_EQ(state_of(sda), volume_state::none);
  });
}

}  // namespace
