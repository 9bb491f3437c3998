// What a flush proves (rule 3): the stamp that it begins with, not the one that it ends with.
#include <gtest/gtest.h>

#include "drivers/block/media_event.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/shadow.h"
#include "tests/fs/checkpoint/quick_disk.h"

namespace {

using namespace sim;

TEST(flushes, release_nothing_that_was_written_behind_them) {
  run(1, [] {
    boot();
    quick_disk disk;
    await_state(sda, checkpoint::volume_state::live);
    ASSERT_TRUE(fill_block(sda, 5, 1));
    ASSERT_TRUE(write_buffers(sda));
    disk.busy = true;
    const fiber flusher = spawn("flusher", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
    sleep_for(1_ms);
    ASSERT_TRUE(fill_block(sda, 6, 1));
    const fiber writer = spawn("writer", [] { EXPECT_TRUE(write_buffers(sda)); });
    sleep_for(1_ms);
    disk.busy = false;
    disk.request_fn();
    flusher.join();
    writer.join();
    EXPECT_FALSE(checkpoint::shadowed(sda, block_nr{5}));
    EXPECT_TRUE(checkpoint::shadowed(sda, block_nr{6}));
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_FALSE(checkpoint::shadowed(sda, block_nr{6}));
  });
}

// The flush ends because the device is gone, a little before the volume is told. What had been
// written is what it was: the medium holds the old content or the new, and nothing else is accepted
// later.
TEST(flushes, that_a_pull_ends_make_nothing_torn) {
  run(1, [] {
    boot();
    quick_disk disk;
    await_state(sda, checkpoint::volume_state::live);
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 1));
    ASSERT_TRUE(write_buffers(sda));
    disk.busy = true;
    const fiber flusher =
        spawn("flusher", [] { EXPECT_EQ(checkpoint::barrier(sda), fail(error::enodev)); });
    sleep_for(1_ms);
    disk.die();
    flusher.join();
    const checkpoint::slot* slot = checkpoint::find_slot(sda, block_nr{5});
    ASSERT_TRUE(slot);
    EXPECT_EQ(slot->state, checkpoint::slot_state::written);
    EXPECT_FALSE(may_hold_anything(*slot));
    media_left(disk);
    EXPECT_EQ(state_of(sda), checkpoint::volume_state::absent);
    EXPECT_FALSE(may_hold_anything(*checkpoint::find_slot(sda, block_nr{5})));
  });
}

}  // namespace
