// An operation's beginning (rule 1): what may happen while it waits for room.
#include <gtest/gtest.h>

#include <optional>

#include "fs/checkpoint/operation.h"
#include "fs/replug/info_files.h"
#include "fs/replug/report.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

constexpr u32 slots = 128;

// The region is full of an absent stick's blocks and of others' operations. A writer to a second
// stick waits for room, and the second stick is pulled as well. Then there is room, but the writer
// must not begin: the set is sealed.
TEST(operations, look_for_their_stick_again_when_there_is_room) {
  medium first(512), second(mkfs_minix(100));
  run(1, [&] {
    session process(boot_with_root({.buffers = 256, .slots = slots, .io_wait = 10_s}));
    const u32 all = checkpoint::unreserved();
    plug_as(first, sda);
    plug_as(second, sdb);
    ASSERT_TRUE(process.mount("/dev/sdb"));
    ASSERT_TRUE(sys_sync());
    for (u32 block = 0; block < 40; ++block) ASSERT_TRUE(fill_block(sda, block, 1));
    std::optional<checkpoint::reservation> of_others(std::in_place);
    ASSERT_TRUE(of_others->grant(checkpoint::unreserved() - 20));
    pull_from(first, sda);
    std::optional<result<void>> outcome;
    const fiber writer = spawn("writer", [&] { outcome = process.write("/mnt/file", ""); });
    sleep_for(1_s);
    pull_from(second, sdb);
    EXPECT_TRUE(checkpoint::execute_command("drop sda"));
    sleep_for(1_s);
    EXPECT_FALSE(outcome) << "it has begun although its stick is away";
    writer.join();
    EXPECT_EQ(outcome, fail(error::eio));
    of_others.reset();
    EXPECT_EQ(checkpoint::unreserved(), all) << "it has kept its room";
    plug_as(second, sdb);
    EXPECT_TRUE(process.umount());
  });
}

}  // namespace
