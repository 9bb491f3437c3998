// The buffer cache when the disk fails, and what sync waits for (fs/buffer/buffer.h).
#include <optional>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/write_buffers.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/buffer/buffers.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

TEST_P(buffers, a_write_error_stays_until_it_is_told) {
  with_stick(1, [](medium& stick) {
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) {
      return broken && cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    ASSERT_TRUE(fill_block(sda, 4, 0x44));
    EXPECT_EQ(flush_buffers(sda).error(), error::eio);
    EXPECT_EQ(count_buffers().dirty, 1u) << "what could not be written stays dirty";
    EXPECT_EQ(byte_of(sda, 4), 0x44);
    EXPECT_FALSE(sys_sync());
    broken = false;
    EXPECT_TRUE(flush_buffers(sda));
    EXPECT_TRUE(take_write_error(sda)) << "sync has told it already";
    EXPECT_TRUE(block_is(stick.durable(), 4, 0x44));
    EXPECT_TRUE(sync_dev(sda));
  });
}

// Way 2 met the error, where no caller could be told: the next sync tells it, once.
TEST_P(buffers, an_error_of_the_forced_write_reaches_the_next_sync) {
  with_stick(1,
             [](medium& stick) {
               int failures = 1;
               stick.fault = [&](block_command cmd, lba, u32) {
                 return cmd == block_command::write && failures-- > 0 ? std::optional(error::eio)
                                                                      : std::nullopt;
               };
               for (u32 i = 0; i < 3 * tiny_cache; ++i) (void)fill_block(sda, i, 0x5A);
               EXPECT_LE(failures, 0);
               EXPECT_EQ(sys_sync().error(), error::eio);
               EXPECT_TRUE(sys_sync());
             },
             {.buffers = tiny_cache});
}

TEST_P(buffers, a_disk_that_refuses_its_blocks_does_not_starve_another) {
  medium other(2048, "OTHER");
  with_stick(1,
             [&](medium& stick) {
               other.plug();
               sleep_for(1_s);
               bool broken = true;
               stick.fault = [&](block_command cmd, lba, u32) {
                 return broken && cmd == block_command::write ? std::optional(error::eio)
                                                              : std::nullopt;
               };
               const dev_id sdb(MAJOR_DISK, MINORS_PER_DISK);
               const u32 most = tiny_cache * 3 / 4;
               for (u32 i = 0; i < most; ++i) ASSERT_TRUE(fill_block(sda, i, 0x5A));
               for (u32 i = 0; i < tiny_cache; ++i) ASSERT_TRUE(fill_block(sdb, i, 0xA5)) << i;
               broken = false;
               (void)sys_sync();  // tells the errors
               EXPECT_TRUE(sys_sync());
             },
             {.buffers = tiny_cache});
}

TEST_P(buffers, a_failed_flush_is_no_success_of_sync) {
  with_stick(1, [](medium& stick) {
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) {
      return broken && cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
    };
    ASSERT_TRUE(fill_block(sda, 4, 0x44));
    EXPECT_EQ(sync_dev(sda).error(), error::eio);
    broken = false;
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_TRUE(block_is(stick.durable(), 4, 0x44));
  });
}

TEST_P(buffers, sync_waits_for_what_others_dirty_only_so_far) {
  with_stick(7, [](medium&) {
    bool stop = false;
    auto writer = spawn("writer", [&] {
      for (u32 i = 0; !stop; ++i) {
        EXPECT_TRUE(fill_block(sda, i % 50, static_cast<u8>(i)));
        sleep_for(100_us);
      }
    });
    sleep_for(10_ms);
    const instant before = now();
    EXPECT_TRUE(sys_sync());
    EXPECT_LT((now() - before).milliseconds(), 10'000);
    stop = true;
    writer.join();
  });
}

}  // namespace
