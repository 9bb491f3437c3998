// What the file system says of a disk is true, also after an error in the middle of a call: the
// blocks that it counts as free can be used, VALID means that fsck finds nothing, and a call that
// fails leaves no name without a link.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/inode_lock.h"
#include "fs/minix_format.h"
#include "fs/namei.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"

namespace {

using namespace sim;

// Fills the disk; no block may be left that counts as free.
void expect_every_free_block_usable(session& process) {
  EXPECT_FALSE(process.append("/mnt/young", pattern(mounted_blocks * BLOCK_SIZE)));
  EXPECT_EQ(statfs_path(process.context(), "/mnt")->bfree, 0u);
}

// A writer has begun to look for a free block and waits for the bitmap; meanwhile a block in front
// of that place becomes free.
TEST(honest, a_block_that_is_freed_during_a_search_can_be_used) {
  for_each_seed(20, [](u64 seed) {
    with_mounted_stick(seed, {}, [](medium& stick, session& process) {
      for (const char* name : {"/mnt/old", "/mnt/middle", "/mnt/young"})
        ASSERT_TRUE(process.write(name, pattern(1'000)));
      ASSERT_TRUE(process.truncate("/mnt/young", 0));
      const opened old(process.context(), "/mnt/old", abi::o_wronly);
      const opened young(process.context(), "/mnt/young", abi::o_wronly);
      ASSERT_TRUE(sys_sync());
      drop_clean_buffers(sda);
      stick.least_latency = stick.most_latency = 100_ms;
      const fiber writer = spawn("writer", [&] { EXPECT_OK(young.write("text")); });
      sleep_for(10_ms);
      EXPECT_OK(truncate_file(*old, 0));
      writer.join();
      stick.least_latency = stick.most_latency = 1_ms;
      expect_every_free_block_usable(process);
    });
  });
}

}  // namespace
