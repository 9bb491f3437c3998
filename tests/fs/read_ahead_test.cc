// Reading ahead (fs/read_ahead.h), and what a file remembers of where its blocks are: judged by the
// commands that the stick gets.
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/bmap.h"
#include "fs/buffer/buffer_table.h"
#include "fs/inode.h"
#include "fs/namei.h"
#include "fs/read_ahead.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

constexpr u32 many_buffers = 8192;

::testing::AssertionResult is_range(block_range range, u32 first, u32 end) {
  if (range.first == first && range.end == end) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << range.first << " to " << range.end;
}

// --- The count of blocks

TEST(read_ahead, doubles_its_windows_and_marks_the_newest) {
  read_ahead ahead;
  EXPECT_FALSE(ahead.comes_to(0));
  EXPECT_TRUE(is_range(ahead.missed(0, 1, many_buffers), 0, 16));
  EXPECT_TRUE(ahead.comes_to(1)) << "behind what was wanted";
  u32 begin = 16;
  for (u32 size : {32u, 64u, 128u, 256u, 512u, 512u}) {
    EXPECT_TRUE(is_range(ahead.next_window(many_buffers), begin, begin + size));
    for (u32 block = begin ? begin - 1 : 0; block < begin; ++block) ahead.comes_to(block);
    EXPECT_TRUE(ahead.comes_to(begin));
    begin += size;
  }
}

TEST(read_ahead, gives_a_jump_what_it_wants) {
  read_ahead ahead;
  for (u32 block : {900u, 5u, 300u}) {
    EXPECT_FALSE(ahead.comes_to(block));
    EXPECT_TRUE(is_range(ahead.missed(block, 1, many_buffers), block, block + 1));
  }
  EXPECT_FALSE(ahead.comes_to(1000));
  EXPECT_TRUE(is_range(ahead.missed(1000, 64, many_buffers), 1000, 1064));
  EXPECT_FALSE(ahead.comes_to(1001)) << "a jump leaves no marker";
}

TEST(read_ahead, takes_a_share_of_a_small_cache) {
  read_ahead ahead;
  EXPECT_FALSE(ahead.comes_to(0));
  EXPECT_TRUE(is_range(ahead.missed(0, 1, 64), 0, 8));
  EXPECT_TRUE(ahead.comes_to(1));
  EXPECT_TRUE(is_range(ahead.next_window(64), 8, 16));
}

TEST(read_ahead, begins_small_again_when_something_did_not_come) {
  read_ahead ahead;
  ahead.comes_to(0);
  ahead.missed(0, 64, many_buffers);
  ahead.comes_to(1);
  EXPECT_TRUE(is_range(ahead.missed(1, 63, many_buffers), 1, 2));
  EXPECT_TRUE(ahead.comes_to(2));
  EXPECT_TRUE(is_range(ahead.next_window(many_buffers), 2, 4));
}

// --- Files

// A stick with one file, /mnt/f, mounted and not in the cache.
void with_cold_file(u32 kib, boot_options options,
                    const std::function<void(session&, medium&)>& body, u64 seed = 1) {
  medium stick(mkfs_minix(4096));
  stick.max_sectors = 2048;
  run(seed, [&] {
    session process(boot_with_root(options));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/f", pattern(kib * 1024)));
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(process.mount());
    body(process, stick);
    check_buffer_invariants();
    EXPECT_EQ(count_buffers().in_use, 0u);
    EXPECT_TRUE(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
}

const boot_options roomy{.buffers = 4096, .slots = 4096};

u32 longest_read(const medium& stick) {
  u32 longest = 0;
  for (const command_record& command : stick.log())
    if (command.cmd == block_command::read) longest = std::max(longest, command.sectors / 2);
  return longest;
}

u32 blocks_read(const medium& stick) {
  u32 sectors = 0;
  for (const command_record& command : stick.log())
    if (command.cmd == block_command::read) sectors += command.sectors;
  return sectors / SECTORS_PER_BLOCK;
}

// Reads the file from its position to its end; false when a byte is not what was written.
bool reads_well(const opened& f, u32 from, u32 kib, u32 piece) {
  for (u32 at = from; at < kib * 1024;) {
    const result<std::string> text = f.read(piece);
    if (!text || text->empty() || *text != pattern(text->size(), 0, at)) return false;
    at += static_cast<u32>(text->size());
  }
  return true;
}

TEST(reading_ahead, makes_long_commands_for_a_sequential_reader) {
  for (u32 piece : {300u, 1024u, 65536u})
    with_cold_file(3000, roomy, [&](session& process, medium& stick) {
      const opened f(process.context(), "/mnt/f", abi::o_rdonly);
      stick.clear_log();
      EXPECT_TRUE(reads_well(f, 0, 3000, piece));
      EXPECT_LE(stick.count(block_command::read), 16u) << "by " << piece;
      EXPECT_EQ(longest_read(stick), 513u) << "a window and the next indirect block";
      EXPECT_LE(blocks_read(stick), 3000u + 8) << "each block once";
    });
}

TEST(reading_ahead, has_the_next_window_on_its_way) {
  with_cold_file(600, roomy, [](session& process, medium& stick) {
    const opened f(process.context(), "/mnt/f", abi::o_rdonly);
    EXPECT_OK(f.read(60 * 1024));
    EXPECT_OK(f.read(1024));
    sleep_for(1_s);
    stick.clear_log();
    stick.fault = [](block_command, lba, u32) { return std::optional(error::eio); };
    for (u32 i = 61; i < 120; ++i) EXPECT_TRUE(f.read(1024)) << "block " << i;
    stick.fault = nullptr;
  });
}

TEST(reading_ahead, costs_a_random_reader_nothing) {
  with_cold_file(3000, roomy, [](session& process, medium& stick) {
    const opened f(process.context(), "/mnt/f", abi::o_rdonly);
    for (u32 i = 0; i < 60; ++i) {
      const u32 block = 3 + (i * 577) % 2900;
      if (i == 30) stick.clear_log();  // the indirect blocks are in the cache by now
      EXPECT_OK(seek_file(*f, static_cast<i32>(block * 1024), abi::seek_set));
      EXPECT_EQ(*f.read(1024), pattern(1024, 0, block * 1024));
    }
    EXPECT_EQ(blocks_read(stick), 30u);
    stick.clear_log();
    EXPECT_OK(seek_file(*f, 1500 * 1024 + 700, abi::seek_set));
    EXPECT_EQ(*f.read(64 * 1024), pattern(64 * 1024, 0, 1500 * 1024 + 700));
    EXPECT_LE(blocks_read(stick), 65u);
    EXPECT_LE(stick.count(block_command::read), 2u) << "what one call wants is asked for at once";
  });
}

TEST(reading_ahead, leaves_room_in_a_tiny_cache) {
  with_cold_file(700, {.buffers = 64, .slots = 256}, [](session& process, medium& stick) {
    const opened f(process.context(), "/mnt/f", abi::o_rdonly);
    stick.clear_log();
    EXPECT_TRUE(reads_well(f, 0, 700, 1024));
    EXPECT_LE(blocks_read(stick), 710u) << "nothing is thrown out before it was read";
    EXPECT_LE(longest_read(stick), 64u / read_ahead::CACHE_SHARE * 2 + 2);
  });
}

TEST(reading_ahead, reads_a_device_too) {
  with_cold_file(10, roomy, [](session& process, medium& stick) {
    const opened device(process.context(), "/dev/sda", abi::o_rdonly);
    stick.clear_log();
    for (u32 i = 0; i < 2000; ++i) EXPECT_OK(device.read(1024));
    EXPECT_LE(stick.count(block_command::read), 12u);
    EXPECT_GE(longest_read(stick), 512u);
  });
}

// One block of the stick cannot be read: only a reader of that block gets the error.
TEST(reading_ahead, keeps_errors_to_the_block_that_has_them) {
  with_cold_file(1200, roomy, [](session& process, medium& stick) {
    const opened f(process.context(), "/mnt/f", abi::o_rdonly);
    const result<inode_ref> inode = namei(process.context(), "/mnt/f");
    ASSERT_TRUE(inode);
    const result<block_nr> bad = bmap(**inode, 700);
    ASSERT_TRUE(bad);
    const u32 bad_sector = bad->value() * SECTORS_PER_BLOCK;
    u32 failures = 0;
    stick.fault = [&](block_command, lba first, u32 sectors) -> std::optional<error> {
      if (bad_sector < first.value() || bad_sector >= first.value() + sectors) return std::nullopt;
      ++failures;
      return error::eio;
    };
    for (u32 i = 0; i < 700; ++i) ASSERT_TRUE(f.read(1024)) << "block " << i;
    EXPECT_ERROR(error::eio, f.read(1024));
    EXPECT_LE(failures, 20u) << "each may cost a stick seconds";
    EXPECT_OK(seek_file(*f, 701 * 1024, abi::seek_set));
    EXPECT_TRUE(reads_well(f, 701 * 1024, 1200, 1024));
    stick.fault = nullptr;
    EXPECT_TRUE(sys_sync()) << "and is no error of a write";
  });
}

// Pulled while windows are on their way, at many moments; what was read is right in the end.
TEST(reading_ahead, survives_a_pull) {
  for_each_seed(30, [](u64 seed) {
    with_cold_file(
        900, roomy,
        [&](session& process, medium& stick) {
          fiber hand = spawn("hand", [&] {
            sleep_for(duration{static_cast<i64>(seed) * 700'000});
            stick.pull();
            sleep_for(1_s);
            stick.plug();
          });
          const opened f(process.context(), "/mnt/f", abi::o_rdonly);
          EXPECT_TRUE(reads_well(f, 0, 900, 1024));
          hand.join();
          await_state(sda, checkpoint::volume_state::live);
          sleep_for(1_s);
        },
        seed);
  });
}

// --- What a file remembers of where its blocks are

TEST(zone_runs, end_with_a_truncation) {
  with_cold_file(600, roomy, [](session& process, medium&) {
    const opened f(process.context(), "/mnt/f", abi::o_rdonly);
    EXPECT_OK(seek_file(*f, 585 * 1024, abi::seek_set));
    EXPECT_EQ(*f.read(1024), pattern(1024, 0, 585 * 1024));
    EXPECT_OK(process.truncate("/mnt/f", 580 * 1024));
    EXPECT_OK(process.write("/mnt/g", pattern(60 * 1024, 7)));  // takes what was given back
    EXPECT_OK(process.append("/mnt/f", pattern(20 * 1024, 9)));
    EXPECT_EQ(*f.read(1024), pattern(1024, 9, 6 * 1024));
    EXPECT_EQ(*process.read("/mnt/f"), pattern(580 * 1024) + pattern(20 * 1024, 9));
    EXPECT_EQ(*process.read("/mnt/g"), pattern(60 * 1024, 7));
  });
}

// Rule 11: what is remembered over an absence must be read again. Elsewhere two blocks of the file
// have changed places, which the inode and the bitmaps do not show.
TEST(zone_runs, are_not_believed_after_an_absence) {
  with_cold_file(30, roomy, [](session& process, medium& stick) {
    const result<inode_ref> inode = namei(process.context(), "/mnt/f");
    ASSERT_TRUE(inode);
    const u32 indirect = inode->get()->i_zone[DIRECT_ZONES];
    EXPECT_EQ(*process.read("/mnt/f"), pattern(30 * 1024));
    pull_from(stick, sda);
    byte* const entries = stick.bytes().data() + size_t{indirect} * BLOCK_SIZE;
    std::swap_ranges(entries, entries + 2, entries + 2 * 20);
    plug_as(stick, sda);
    const opened f(process.context(), "/mnt/f", abi::o_rdonly);
    EXPECT_OK(seek_file(*f, 7 * 1024, abi::seek_set));
    EXPECT_EQ(*f.read(1024), pattern(1024, 0, 27 * 1024));
  });
}

}  // namespace
