// The guards of the checkpoint that the rules and rows leave untouched: each of these tests is the
// one that kills a mutant (tests/mutants/).
#include <gtest/gtest.h>

#include <optional>

#include "fs/checkpoint/report.h"
#include "fs/checkpoint/shadow.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

constexpr u32 blocks = 512;

// Block n is filled with n.
std::vector<byte> numbered_blocks() {
  std::vector<byte> image(size_t{blocks} * BLOCK_SIZE);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<byte>(i / BLOCK_SIZE);
  return image;
}

void with_stick(u64 seed, const boot_options& options, const std::function<void(medium&)>& body) {
  medium stick(numbered_blocks());
  run(seed, [&] {
    boot(options);
    plug_as(stick, sda);
    if (::testing::Test::HasFatalFailure()) return;
    body(stick);
    check_buffer_invariants();
  });
}

u32 held() { return checkpoint::volume_of(sda) ? checkpoint::volume_of(sda)->set.size() : 0; }

// Four contents may stand on the medium besides the newest; whoever makes a fifth waits for a
// flush, and whatever the cache loses then is no conflict.
TEST(guards, a_fifth_version_waits_for_a_flush) {
  for_each_seed(20, [](u64 seed) {
    with_stick(seed, {}, [](medium& stick) {
      for (u8 value = 100; value < 111; ++value) {
        ASSERT_TRUE(change_bytes(sda, 5, 0, 600, value));
        ASSERT_TRUE(write_buffers(sda));
      }
      EXPECT_GE(stick.count(block_command::flush), 2u);
      EXPECT_LE(stick.count(block_command::flush), 4u);
      pull_from(stick, sda, {.loss = cache_loss::some});
      plug_as(stick, sda);
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{110});
      EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE + 700], byte{5});
    });
  });
}

// The clock of an absence stands still while the blocks are on their way back.
TEST(guards, a_replay_is_not_overtaken_by_the_end_of_hold) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    const instant pulled_at = now();
    pull_from(stick, sda);
    stick.bytes()[5 * BLOCK_SIZE + 600] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
    sleep_for(pulled_at + 9'900_ms - now());
    stick.least_latency = stick.most_latency = 500_ms;
    EXPECT_TRUE(checkpoint::execute_command("force sda"));
    EXPECT_GT(now(), pulled_at + 10_s);
    EXPECT_EQ(state_of(sda), volume_state::live);
    EXPECT_FALSE(said("LOST"));
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
  });
}

// A copy of the stick that has been plugged in all the time.
TEST(guards, a_stick_with_a_twin_is_not_written_to) {
  medium twin(numbered_blocks());
  with_stick(1, {}, [&](medium& stick) {
    plug_as(twin, sdb);
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    pull_from(stick, sda);
    stick.clear_log();
    stick.plug();
    sleep_for(5_s);
    EXPECT_TRUE(said("Two sticks claim to be sda"));
    EXPECT_EQ(state_of(sda), volume_state::absent);
    EXPECT_EQ(stick.count(block_command::write) + twin.count(block_command::write), 0u);
    twin.pull();
    stick.pull();
    sleep_for(1_s);
    plug_as(stick, sda);
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
    EXPECT_EQ(held(), 0u);
  });
}

// What was cached before a volume was given up is no longer an answer.
TEST(guards, nothing_is_read_from_the_cache_of_a_dead_volume) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.hold = 10_s}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", "a"));
    ASSERT_TRUE(byte_of(sda, 1));
    pull_from(stick, sda);
    ASSERT_TRUE(byte_of(sda, 1)) << "cached reads go on while it is absent";
    await_state(sda, volume_state::dead);
    EXPECT_EQ(byte_of(sda, 1).error(), error::eio);
    EXPECT_EQ(fill_block(sda, 1, 0).error(), error::eio);
    static_cast<void>(process.umount());
  });
}

// A block of a partition is compared and replayed where the partition lies.
TEST(guards, a_replay_goes_where_the_partition_is) {
  constexpr dev_id sda1(8, 1);
  constexpr u32 first_block = 32;
  std::vector<byte> image = numbered_blocks();
  std::fill_n(image.begin(), SECTOR_SIZE, byte{0});
  byte* entry = image.data() + 446;
  entry[4] = byte{0x83};
  entry[8] = byte{first_block * SECTORS_PER_BLOCK};
  entry[12] = byte{128};
  image[510] = byte{0x55};
  image[511] = byte{0xAA};
  medium stick(image);
  run(1, [&] {
    boot();
    plug_as(stick, sda);
    ASSERT_TRUE(change_bytes(sda1, 5, 0, 10, 0xA5));
    pull_from(stick, sda);
    plug_as(stick, sda);
    EXPECT_EQ(stick.durable()[(first_block + 5) * BLOCK_SIZE], byte{0xA5});
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{5});
  });
}

// What has begun is finished: neither a signal nor io_wait ends its wait for a block that it needs.
TEST(guards, an_operation_that_has_begun_waits_without_patience) {
  with_stick(1, {.io_wait = 10_s}, [](medium& stick) {
    auto writer = spawn("writer", [&] {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      pull_from(stick, sda);
      EXPECT_EQ(byte_of(sda, 200), 200);
    });
    sleep_for(1_s);
    writer.signal();
    sleep_for(30_s);
    EXPECT_FALSE(writer.ended());
    plug_as(stick, sda);
    writer.join();
  });
}

// The buffers of an absent stick are free for others, though nobody could write them.
TEST(guards, a_cache_full_of_an_absent_sticks_blocks_serves_another) {
  medium other(numbered_blocks(), "OTHER");
  with_stick(1, {.buffers = 64}, [&](medium& stick) {
    plug_as(other, sdb);
    for (u32 i = 0; i < 64; ++i) ASSERT_TRUE(fill_block(sda, 300 + i, 1));
    pull_from(stick, sda);
    const instant before = now();
    for (u32 i = 0; i < 100; ++i) EXPECT_EQ(byte_of(sdb, i), i);
    EXPECT_LT(now() - before, 10_s);
  });
}

// A write that was still in the queue at the pull has touched nothing, so a foreign byte in its
// block is no tear.
TEST(guards, a_write_that_was_only_queued_excuses_nothing) {
  with_stick(1, {}, [](medium& stick) {
    for (u32 block : {5u, 100u}) ASSERT_TRUE(change_bytes(sda, block, 0, 10, 0x55));
    stick.least_latency = stick.most_latency = 500_ms;
    auto writer = spawn("writer", [] { static_cast<void>(write_buffers(sda)); });
    sleep_for(100_ms);
    pull_from(stick, sda, {.sector = in_flight::old_content});
    writer.join();
    stick.bytes()[100 * BLOCK_SIZE + 600] ^= byte{1};
    stick.plug();
    await_state(sda, volume_state::conflict);
  });
}

// After a flush the content before it cannot come back by itself: whoever brought it back was
// somebody else.
TEST(guards, what_was_before_a_flush_is_a_conflict) {
  with_stick(1, {}, [](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    ASSERT_TRUE(write_buffers(sda));
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x66));
    ASSERT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
    pull_from(stick, sda);
    std::fill_n(stick.bytes().begin() + 5 * BLOCK_SIZE, 10, byte{5});
    stick.plug();
    await_state(sda, volume_state::conflict);
  });
}

// More blocks than one batch of a replay takes.
TEST(guards, a_replay_writes_every_block) {
  with_stick(1, {.buffers = 400, .slots = 400}, [](medium& stick) {
    for (u32 i = 0; i < 300; ++i) ASSERT_TRUE(fill_block(sda, 200 + i, 0xA5));
    EXPECT_EQ(held(), 300u);
    pull_from(stick, sda);
    plug_as(stick, sda);
    for (u32 i = 0; i < 300; ++i) EXPECT_TRUE(block_is(stick.durable(), 200 + i, 0xA5)) << i;
  });
}

// A stick that resets itself in the middle of a replay has lost what it had been given.
TEST(guards, a_replay_through_a_reset_is_none) {
  with_stick(1, {}, [](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 0x55));
    pull_from(stick, sda);
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (cmd == block_command::flush) {
        stick.device().cache_lost();
        stick.forget_cache();
      }
      return std::nullopt;
    };
    stick.plug();
    sleep_for(5_s);
    EXPECT_EQ(held(), 1u);
    stick.fault = {};
    stick.pull();
    sleep_for(1_s);
    plug_as(stick, sda);
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x55});
  });
}

// A mounted stick, pulled with nothing unwritten; `tamper` is what somebody does to it meanwhile.
void expect_conflict(const std::function<void(session&)>& before,
                     const std::function<void(std::span<byte>)>& tamper) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.buffers = 64}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", sample_text(5'000, 1)));
    ASSERT_TRUE(sys_sync());
    before(process);
    EXPECT_EQ(held(), 0u);
    pull_from(stick, sda);
    const std::vector<byte> as_it_was(stick.durable().begin(), stick.durable().end());
    tamper(stick.bytes());
    stick.clear_log();
    stick.plug();
    await_state(sda, volume_state::conflict);
    EXPECT_EQ(stick.count(block_command::write), 0u);
    stick.pull();
    sleep_for(1_s);
    std::ranges::copy(as_it_was, stick.bytes().begin());
    plug_as(stick, sda);
    EXPECT_TRUE(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
}

constexpr size_t zone_map = size_t{3} * BLOCK_SIZE;
constexpr size_t inode_table = size_t{4} * BLOCK_SIZE;

TEST(guards, a_cached_bitmap_is_compared_though_nobody_uses_it) {
  expect_conflict([](session&) {},
                  [](std::span<byte> medium) { medium[zone_map + 20] |= byte{1}; });
}

// The block of the inode table is no longer in the cache, the inode itself is in use.
TEST(guards, an_inode_in_memory_is_compared) {
  expect_conflict(
      [](session&) {
        for (u32 block = 0; block < 100; ++block) ASSERT_TRUE(byte_of(sda, 200 + block));
        ASSERT_FALSE(get_hash_table(sda, block_nr{inode_table / BLOCK_SIZE}));
      },
      [](std::span<byte> medium) { medium[inode_table + 8] ^= byte{1}; });  // the root's mtime
}

// An operation that had begun when its volume was given up.
TEST(guards, an_operation_that_outlives_its_volume_changes_nothing) {
  with_stick(1, {.hold = 10_s}, [](medium& stick) {
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    pull_from(stick, sda);
    await_state(sda, volume_state::dead);
    auto buffer = getblk(sda, block_nr{7});
    ASSERT_TRUE(buffer);
    const auto fill = [](std::span<byte> bytes) { std::ranges::fill(bytes, byte{1}); };
    EXPECT_EQ(buffer->overwrite(*op, fill).error(), error::eio);
    EXPECT_EQ(held(), 0u);
  });
}

// A write that waits in its middle has a dirty inode; sync leaves it alone.
TEST(guards, sync_does_not_wait_for_the_inodes_of_an_absent_stick) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.io_wait = 100_s}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", sample_text(2'000, 1)));
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.sync_file("/mnt/a"));  // its inode is in memory now, its data are not
    stick.least_latency = stick.most_latency = 500_ms;
    auto writer = spawn("writer", [&] {
      session mine = process.fork();
      EXPECT_TRUE(mine.write_at("/mnt/a", 0, sample_text(1'500, 2)));
    });
    sleep_for(100_ms);
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_TRUE(sys_sync());
    EXPECT_LT(now() - before, 1_s);
    EXPECT_FALSE(writer.ended());
    plug_as(stick, sda);
    writer.join();
    EXPECT_TRUE(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
}

// The region must have a file's size with its data, so no operation leaves its inode for later.
TEST(guards, an_operation_ends_with_its_inode_in_its_buffer) {
  constexpr u32 first_file = 32, size_within = 4;  // the second inode; d_inode::i_size
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/a", sample_text(100, 1)));
    ASSERT_TRUE(process.append("/mnt/a", sample_text(50, 2)));
    EXPECT_EQ(byte_of(sda, inode_table / BLOCK_SIZE, first_file + size_within), 150);
    EXPECT_TRUE(process.umount());
  });
}

}  // namespace
