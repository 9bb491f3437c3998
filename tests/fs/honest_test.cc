// What the file system says of a disk is true, also after an error in the middle of a call: the
// blocks that it counts as free can be used, VALID means that fsck finds nothing, and a call that
// fails leaves no name without a link.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "fs/buffer/invalidate.h"
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

constexpr u32 INODE_TABLE_BLOCK = 4;  // two bitmaps of one block each
constexpr size_t place_of_inode(u32 number) {
  return INODE_TABLE_BLOCK * BLOCK_SIZE + (number - 1) * sizeof(d_inode);
}

d_inode inode_on(std::span<const byte> image, u32 number) {
  d_inode inode;
  std::memcpy(&inode, image.data() + place_of_inode(number), sizeof inode);
  return inode;
}

constexpr u16 VALID_AND_ERROR = MINIX_VALID_FS | MINIX_ERROR_FS;

// After umount: VALID without a problem, or not VALID.
void expect_true_state(medium& stick) {
  const minix_image image(stick.durable());
  const bool says_valid = (image.state() & VALID_AND_ERROR) == MINIX_VALID_FS;
  EXPECT_TRUE(!says_valid || image.problem_text().empty()) << image.problem_text();
}

u32 number_of(session& process, const std::string& path) {
  return stat_path(process.context(), path)->ino;
}

constexpr u32 ZONE_MAP = 3;

bool touches(lba first, u32 sectors, u32 block) {
  const u32 at = block * SECTORS_PER_BLOCK;
  return first.value() <= at && at < first.value() + sectors;
}

std::function<std::optional<error>(block_command, lba, u32)> reads_fail_of(u32 block) {
  return [block](block_command cmd, lba first, u32 sectors) {
    const bool hit = cmd == block_command::read && touches(first, sectors, block);
    return hit ? std::optional(error::eio) : std::nullopt;
  };
}

// An indirect block cannot be read, so the blocks that it names are not freed.
TEST(honest, a_file_that_was_cut_in_part_is_damage) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", pattern(20'000)));
    ASSERT_TRUE(sys_sync());
    const u32 indirect =
        inode_on(stick.durable(), number_of(process, "/mnt/file")).i_zone[DIRECT_ZONES];
    drop_clean_buffers(sda);
    stick.fault = reads_fail_of(indirect);
    EXPECT_ERROR(error::eio, process.truncate("/mnt/file", 0));
    stick.fault = {};
    EXPECT_OK(process.umount());
    expect_true_state(stick);
  });
}

// The blocks behind the new end stay in the file, so its length stays too.
TEST(honest, a_file_that_cannot_be_cut_keeps_its_length) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", pattern(10 * BLOCK_SIZE)));
    ASSERT_TRUE(sys_sync());
    const u32 indirect =
        inode_on(stick.durable(), number_of(process, "/mnt/file")).i_zone[DIRECT_ZONES];
    drop_clean_buffers(sda);
    stick.fault = reads_fail_of(indirect);
    EXPECT_ERROR(error::eio, process.truncate("/mnt/file", 8 * BLOCK_SIZE));
    stick.fault = {};
    EXPECT_EQ(stat_path(process.context(), "/mnt/file")->size, 10 * BLOCK_SIZE);
    EXPECT_OK(process.umount());
    expect_true_state(stick);
  });
}

// The next block that is taken makes the cache drop all that it does not use and need not write;
// then `block` cannot be read again.
void lose_when_a_block_is_taken(medium& stick, u32 block) {
  stick.fault = [block, dropped = false](block_command cmd, lba first, u32 sectors) mutable {
    if (cmd == block_command::read && touches(first, sectors, ZONE_MAP)) {
      dropped = true;
      drop_clean_buffers(sda);
    }
    const bool hit = dropped && cmd == block_command::read && touches(first, sectors, block);
    return hit ? std::optional(error::eio) : std::nullopt;
  };
}

// The directory's next entry needs a new block.
void fill_last_block(session& process, const std::string& dir) {
  for (u32 i = 0; stat_path(process.context(), dir)->size % BLOCK_SIZE != 0; ++i)
    ASSERT_TRUE(process.write(dir + "/" + std::to_string(i), ""));
}

u32 first_zone(medium& stick, session& process, const std::string& path) {
  return inode_on(stick.durable(), number_of(process, path)).i_zone[0];
}

// The new name is there when the block of the old one cannot be read again.
TEST(honest, a_rename_that_fails_leaves_both_names_linked) {
  with_mounted_stick([](medium& stick, session& process) {
    for (const char* dir : {"/mnt/a", "/mnt/b"}) ASSERT_TRUE(process.mkdir(dir));
    ASSERT_TRUE(process.write("/mnt/a/file", "text"));
    fill_last_block(process, "/mnt/b");
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
    lose_when_a_block_is_taken(stick, first_zone(stick, process, "/mnt/a"));
    EXPECT_ERROR(error::eio, process.rename("/mnt/a/file", "/mnt/b/file"));
    stick.fault = {};
    EXPECT_TRUE(process.unlink("/mnt/b/file"));
    EXPECT_EQ(process.read("/mnt/a/file"), "text");
    EXPECT_OK(process.umount());
    EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
  });
}

// The ".." of the directory cannot be read again when the names are changed.
TEST(honest, a_directory_that_was_moved_in_part_is_damage) {
  with_mounted_stick([](medium& stick, session& process) {
    for (const char* dir : {"/mnt/a", "/mnt/b", "/mnt/a/d"}) ASSERT_TRUE(process.mkdir(dir));
    fill_last_block(process, "/mnt/b");
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
    lose_when_a_block_is_taken(stick, first_zone(stick, process, "/mnt/a/d"));
    EXPECT_ERROR(error::eio, process.rename("/mnt/a/d", "/mnt/b/d"));
    stick.fault = {};
    EXPECT_OK(process.umount());
    expect_true_state(stick);
  });
}

// Linux makes symbolic links on such disks; their text is a block.
TEST(honest, the_block_of_a_symbolic_link_is_freed_with_it) {
  medium stick(mkfs_minix(mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.write("/mnt/link", "target"));
    const u32 number = number_of(process, "/mnt/link");
    ASSERT_TRUE(process.umount());
    d_inode link = inode_on(stick.durable(), number);
    link.i_mode = 0120777;
    std::memcpy(stick.bytes().data() + place_of_inode(number), &link, sizeof link);
    ASSERT_TRUE(process.mount());
    EXPECT_OK(process.unlink("/mnt/link"));
    EXPECT_OK(process.umount());
    expect_true_state(stick);
  });
}

// A task that does not end has a file open that has no name any more.
TEST(honest, a_nameless_file_at_power_off_is_not_valid) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "text"));
    const opened file(process.context(), "/mnt/file", abi::o_rdonly);
    ASSERT_TRUE(process.unlink("/mnt/file"));
    umount_all();
    expect_true_state(stick);
  });
}

// A directory of a damaged disk has no "..".
TEST(honest, a_directory_that_cannot_be_moved_stays) {
  medium stick(mkfs_minix(mounted_blocks));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    for (const char* dir : {"/mnt/a", "/mnt/b", "/mnt/a/d"}) ASSERT_TRUE(process.mkdir(dir));
    const u32 number = number_of(process, "/mnt/a/d");
    ASSERT_TRUE(process.umount());
    const u32 zone = inode_on(stick.durable(), number).i_zone[0];
    stick.bytes()[zone * BLOCK_SIZE + 32] = byte{0};
    ASSERT_TRUE(process.mount());
    EXPECT_FALSE(process.rename("/mnt/a/d", "/mnt/b/d"));
    EXPECT_TRUE(stat_path(process.context(), "/mnt/a/d"));
    EXPECT_FALSE(stat_path(process.context(), "/mnt/b/d"));
    EXPECT_TRUE(process.umount());
  });
}

// Both wait for the directory's lock, and the mount may get it first.
TEST(honest, a_directory_that_is_mounted_on_meanwhile_is_not_renamed) {
  for_each_seed(10, [](u64 seed) {
    medium other(mkfs_minix(mounted_blocks, 96), "OTHER");
    with_mounted_stick(seed, {}, [&](medium&, session& process) {
      plug_as(other, sdb);
      for (const char* dir : {"/mnt/d", "/mnt/e"}) ASSERT_TRUE(process.mkdir(dir));
      const result<inode_ref> dir = namei(process.context(), "/mnt/d");
      ASSERT_TRUE(dir);
      bool mounted = false;
      std::optional<fiber> renamer, mounter;
      {
        const auto reading = inode_lock::take(**dir);
        ASSERT_TRUE(reading);
        other.least_latency = other.most_latency = 300_ms;
        mounter = spawn("mount", [&] {
          session mine = process.fork();
          EXPECT_OK(mine.mount("/dev/sdb", "/mnt/d"));
          mounted = true;
        });
        sleep_for(100_ms);
        renamer = spawn("rename", [&] {
          session mine = process.fork();
          const bool renamed = bool(mine.rename("/mnt/d", "/mnt/e/d"));
          EXPECT_NE(renamed, mounted);
        });
        sleep_for(5_s);
      }
      mounter->join();
      renamer->join();
      EXPECT_TRUE(process.umount("/dev/sdb"));
    });
  });
}

}  // namespace
