// Damaged disks, unreadable inodes, and what happens while a call sleeps.
#include <gtest/gtest.h>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <vector>

#include "fs/buffer/invalidate.h"
#include "fs/inode.h"
#include "fs/minix_format.h"
#include "fs/namei.h"
#include "fs/replug/power_off.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/mounted_stick.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// Where inode 1 stands on a disk whose two bitmaps have one block each.
constexpr u32 INODE_TABLE_BLOCK = 4;
constexpr size_t place_of_inode(u32 number) {
  return INODE_TABLE_BLOCK * BLOCK_SIZE + (number - 1) * sizeof(d_inode);
}

// A block cannot be read any more, and it is not in the cache.
void lose_block(medium& stick, u32 block) {
  drop_clean_buffers(sda);
  stick.fault = [block](block_command cmd, lba first, u32 sectors) {
    const u32 lost = block * SECTORS_PER_BLOCK;
    const bool hit = cmd == block_command::read && first.value() < lost + SECTORS_PER_BLOCK &&
                     first.value() + sectors > lost;
    return hit ? std::optional(error::eio) : std::nullopt;
  };
}
// As an inode is whose write has failed.
void leave_dirty(fs_context& ctx, const char* path) {
  const result<inode_ref> inode = namei(ctx, path);
  ASSERT_TRUE(inode);
  (*inode)->i_dirt = true;
}

void lose_the_inode_table(medium& stick) { lose_block(stick, INODE_TABLE_BLOCK); }

void on_root(std::vector<byte> image, const std::function<void(medium&, fs_context&)>& body) {
  medium stick(std::move(image));
  run(1, [&] {
    boot();
    fs_init();
    plug_as(stick, sda);
    result<fs_context> ctx = mount_root(sda);
    ASSERT_TRUE(ctx);
    body(stick, *ctx);
  });
}

// Two names, but the inode says that it has one.
std::vector<byte> with_too_few_links() {
  u32 number = 0;
  std::vector<byte> image = on_minix({}, [&](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/one", "text"));
    EXPECT_OK(link_path(ctx, "/one", "/two"));
    EXPECT_OK(write_to(ctx, "/other", "text"));
    number = stat_path(ctx, "/one")->ino;
  });
  d_inode inode;
  std::memcpy(&inode, image.data() + place_of_inode(number), sizeof inode);
  EXPECT_EQ(inode.i_nlinks, 2);
  inode.i_nlinks = 1;
  std::memcpy(image.data() + place_of_inode(number), &inode, sizeof inode);
  return image;
}

// The names in front of a block that cannot be read are told before the error is.
TEST(unhappy, a_directory_is_told_up_to_the_block_that_cannot_be_read) {
  std::vector<byte> image = on_minix({}, [](fs_context& ctx) {
    for (u32 i = 0; i < 40; ++i) EXPECT_OK(write_to(ctx, "/name" + std::to_string(i), ""));
  });
  on_root(std::move(image), [](medium& stick, fs_context& ctx) {
    const inode_ref root = ctx.root.copy();
    const opened dir(ctx, "/", abi::o_rdonly);
    lose_block(stick, root->i_zone[1]);
    std::array<byte, 2000> bytes;
    const result<u32> told = read_directory(*dir, bytes);
    ASSERT_TRUE(told);
    EXPECT_EQ((*dir).f_pos, u32{BLOCK_SIZE});
    EXPECT_ERROR(error::eio, read_directory(*dir, bytes));
    EXPECT_ERROR(error::eio, read_directory(*dir, bytes)) << "and again";
    stick.fault = nullptr;
    EXPECT_GT(read_directory(*dir, bytes).value_or(0), 0u);
    EXPECT_EQ(read_directory(*dir, bytes), 0u);
  });
}

// Without the mend the kernel runs in a circle and never sleeps: the alarm ends it.
TEST(unhappy, a_name_whose_file_is_being_deleted_cannot_be_created) {
  on_root(with_too_few_links(), [](medium&, fs_context& ctx) {
    const opened file(ctx, "/one", abi::o_rdonly);
    EXPECT_OK(unlink_path(ctx, "/one"));
    alarm(20);
    EXPECT_FALSE(write_to(ctx, "/two", "text"));
    alarm(0);
  });
}

TEST(unhappy, a_name_whose_file_is_being_deleted_cannot_be_replaced) {
  on_root(with_too_few_links(), [](medium&, fs_context& ctx) {
    const opened file(ctx, "/one", abi::o_rdonly);
    EXPECT_OK(unlink_path(ctx, "/one"));
    alarm(20);
    EXPECT_FALSE(rename_path(ctx, "/other", "/two"));
    alarm(0);
  });
}

// No damage at all: both directories are removed, and somebody still is in the upper one.
TEST(unhappy, the_parent_of_a_removed_directory_cannot_be_created) {
  on_root(mkfs_minix(400), [](medium&, fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/a", 0755));
    EXPECT_OK(make_directory(ctx, "/a/b", 0755));
    const opened upper(ctx, "/a", abi::o_rdonly);
    EXPECT_OK(change_directory(ctx, "/a/b"));
    EXPECT_OK(remove_directory(ctx, "/a/b"));
    EXPECT_OK(remove_directory(ctx, "/a"));
    alarm(20);
    EXPECT_FALSE(open_file(ctx, "..", abi::o_creat | abi::o_wronly, 0644));
    alarm(0);
  });
}

// No task is in the upper one: its inode is free, and that is no damage either.
TEST(unhappy, the_parent_of_a_removed_directory_is_no_damage) {
  on_root(mkfs_minix(400), [](medium&, fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/a", 0755));
    EXPECT_OK(make_directory(ctx, "/a/b", 0755));
    EXPECT_OK(change_directory(ctx, "/a/b"));
    EXPECT_OK(remove_directory(ctx, "/a/b"));
    EXPECT_OK(remove_directory(ctx, "/a"));
    EXPECT_ERROR(error::enoent, stat_path(ctx, ".."));
    EXPECT_FALSE(said("damaged")) << here().console();
  });
}

// A directory with the names x, y, x, y: each search goes on behind the last one.
TEST(unhappy, names_that_a_directory_has_twice_are_not_renamed_for_ever) {
  std::vector<byte> image = on_minix({}, [&](fs_context& ctx) {
    for (const char* name : {"/x", "/y", "/another x", "/another y"})
      EXPECT_OK(write_to(ctx, name, "text"));
  });
  for (const char* name : {"another x", "another y"}) {
    const auto place = std::search(image.begin(), image.end(), reinterpret_cast<const byte*>(name),
                                   reinterpret_cast<const byte*>(name) + 9);
    ASSERT_NE(place, image.end());
    std::fill_n(place, 9, byte{});
    *place = byte(name[8]);
  }
  on_root(std::move(image), [](medium&, fs_context& ctx) {
    alarm(20);
    static_cast<void>(rename_path(ctx, "/x", "/y"));
    alarm(0);
  });
}

// An inode that could not be written, and whose number is free in the bitmap.
TEST(unhappy, a_dirty_inode_is_not_adopted) {
  u32 number = 0;
  std::vector<byte> image = on_minix({}, [&](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/one", "text"));
    number = stat_path(ctx, "/one")->ino;
  });
  image[2 * BLOCK_SIZE + number / 8] &= ~(byte{1} << (number % 8));
  on_root(std::move(image), [](medium& stick, fs_context& ctx) {
    EXPECT_OK(stat_path(ctx, "/one"));
    leave_dirty(ctx, "/one");
    lose_the_inode_table(stick);
    EXPECT_ERROR(error::eio, chmod_path(ctx, "/one", 0600));
    stick.fault = {};
    static_cast<void>(write_to(ctx, "/new", "text"));
    static_cast<void>(write_to(ctx, "/newer", "text"));
    static_cast<void>(write_to(ctx, "/newest", "text"));
  });
}

TEST(unhappy, power_off_is_refused_while_an_inode_cannot_be_written) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "one and two"));
    ASSERT_TRUE(sys_sync());
    leave_dirty(process.context(), "/mnt/file");
    lose_the_inode_table(stick);
    EXPECT_ERROR(error::ebusy, checkpoint::ready_for_power_off());
    EXPECT_TRUE(said("The machine stays on: \"STICK\"")) << here().console();
    EXPECT_ERROR(error::ebusy, checkpoint::write_and_unmount_all());
    stick.fault = {};
    EXPECT_TRUE(checkpoint::write_and_unmount_all());
    const minix_image image(stick.durable());
    EXPECT_EQ(image.files().at("/file").content, "one and two");
  });
}

TEST(unhappy, an_inode_that_cannot_be_written_keeps_no_block_from_the_stick) {
  with_mounted_stick([](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/file", "one"));
    ASSERT_TRUE(sys_sync());
    leave_dirty(process.context(), "/mnt/file");
    lose_the_inode_table(stick);
    ASSERT_TRUE(fill_block(sda, 390, 0x55));
    EXPECT_ERROR(error::eio, sync_dev(sda));
    EXPECT_TRUE(block_is(stick.durable(), 390, 0x55));
    stick.fault = {};
    EXPECT_TRUE(sync_dev(sda));
  });
}

// The file is unmounted by force, and its stick is mounted again under the same name, while link
// waits on another stick for the second path.
TEST(unhappy, a_file_of_an_earlier_mount_is_not_linked) {
  with_two_mounted_sticks([](medium& stick, medium& other, session& process) {
    ASSERT_TRUE(process.write("/mnt/a", "text"));
    ASSERT_TRUE(process.mkdir("/mnt2/d"));
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sdb);
    pull_from(other, sdb);
    const auto linker = spawn("link", [&] {
      session mine = process.fork();
      EXPECT_FALSE(mine.link("/mnt/a", "/mnt2/d/../../mnt/b"));
    });
    sleep_for(1_s);
    ASSERT_TRUE(process.write("/mnt/unsaved", "text"));
    pull_from(stick, sda);
    static_cast<void>(process.umount("/mnt", true));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount("/dev/sda", "/mnt"));
    plug_as(other, sdb);
    linker.join();
    ASSERT_TRUE(process.umount("/mnt"));
    EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
  });
}

TEST(unhappy, nothing_is_mounted_on_a_directory_that_is_removed_meanwhile) {
  for_each_seed(30, [](u64 seed) {
    medium stick(mkfs_minix(400));
    run(seed, [&] {
      session process(boot_with_root());
      plug_as(stick, sda);
      result<void> mounted, removed;
      const auto mounter = spawn("mount", [&] {
        session mine = process.fork();
        mounted = mine.mount();
      });
      sleep_for(duration{static_cast<i64>(random_below(5'000'000))});
      removed = process.rmdir("/mnt");
      mounter.join();
      EXPECT_NE(bool(mounted), bool(removed));
      if (mounted) {
        EXPECT_TRUE(process.umount("/dev/sda"));
      }
    });
  });
}

// rmdir has seen that no file system is mounted on the directory, and reads its block.
TEST(unhappy, nothing_is_mounted_on_a_directory_that_is_being_removed) {
  with_two_mounted_sticks([](medium& stick, medium&, session& process) {
    ASSERT_TRUE(process.umount("/mnt2"));
    ASSERT_TRUE(process.mkdir("/mnt/d"));
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
    stick.least_latency = stick.most_latency = 100_ms;
    const auto remover = spawn("rmdir", [&] {
      session mine = process.fork();
      EXPECT_OK(mine.rmdir("/mnt/d"));
    });
    EXPECT_ERROR(error::enoent, process.mount("/dev/sdb", "/mnt/d"));
    remover.join();
  });
}

// Files that were closed while their stick was away are deleted by the first `sync`; umount does
// that too. Here another task has begun with the second one, whose many indirect blocks are read.
TEST(unhappy, umount_does_not_overtake_a_sync_that_deletes) {
  for_each_seed(30, [](u64 seed) {
    with_mounted_stick(seed, {}, [&](medium& stick, session& process) {
      ASSERT_TRUE(process.write("/mnt/1", pattern(30'000, 1)));
      ASSERT_TRUE(process.write("/mnt/2", "text"));
      for (u32 table = 0; table < 40; ++table)
        ASSERT_TRUE(process.write_at("/mnt/2", (519 + table * 512) * BLOCK_SIZE, "text"));
      ASSERT_TRUE(sys_sync());
      {
        const opened one(process.context(), "/mnt/1", abi::o_rdonly);
        const opened two(process.context(), "/mnt/2", abi::o_rdonly);
        ASSERT_TRUE(process.unlink("/mnt/1"));
        ASSERT_TRUE(process.unlink("/mnt/2"));
        pull_from(stick, sda);
      }
      plug_as(stick, sda);
      drop_clean_buffers(sda);
      const auto syncer = spawn("sync", [] {
        sleep_for(duration{static_cast<i64>(random_below(4'000'000))});
        static_cast<void>(sys_sync());
      });
      const result<void> unmounted = process.umount("/mnt");
      const std::vector<byte> then(stick.durable().begin(), stick.durable().end());
      syncer.join();
      if (!unmounted) return;
      EXPECT_EQ(minix_image(then).problem_text(), "");
      EXPECT_EQ(minix_image(then).state() & 3, 1);
    });
  });
}

// The name is gone and the zones stay marked: umount must not say that the disk is clean.
// Three tasks wait for one inode, and the read of the first one fails: the second one reads it, and
// the third one waits again, for that read. Each has come through another directory.
TEST(unhappy, tasks_that_wait_for_a_read_that_fails_share_the_next_one) {
  with_mounted_stick([](medium& stick, session& process) {
    constexpr const char* directories[] = {"/mnt/a", "/mnt/b", "/mnt/c"};
    for (const char* each : directories) ASSERT_TRUE(process.mkdir(each));
    ASSERT_TRUE(process.write("/mnt/a/file", "content"));
    for (const char* each : {"/mnt/b/file", "/mnt/c/file"})
      ASSERT_TRUE(process.link("/mnt/a/file", each));
    ASSERT_TRUE(process.umount());
    ASSERT_TRUE(process.mount());
    for (const char* each : directories) ASSERT_TRUE(names_in(process.context(), each));
    forget_inode_table(sda);

    bool has_failed = false;
    stick.fault = [&](block_command cmd, lba, u32) {
      const bool fails = cmd == block_command::read && !has_failed;
      return fails ? std::optional(error::eio) : std::nullopt;
    };
    std::array<result<file*>, 3> open{fail(error::eio), fail(error::eio), fail(error::eio)};
    std::vector<fiber> tasks;
    for (u32 i = 0; i < 3; ++i)
      tasks.push_back(spawn("opens", [&, i] {
        session own = process.fork();
        const std::string name = directories[i] + std::string("/file");
        open[i] = open_file(own.context(), name, abi::o_rdonly, 0);
        has_failed = has_failed || !open[i];
      }));
    for (fiber& each : tasks) each.join();
    stick.fault = nullptr;

    EXPECT_EQ(std::ranges::count_if(open, [](const auto& each) { return each.has_value(); }), 2);
    std::set<const m_inode*> inodes;
    for (const auto& each : open)
      if (each) inodes.insert((*each)->f_inode.get());
    EXPECT_EQ(inodes.size(), 1u);
    for (const auto& each : open)
      if (each) EXPECT_OK(close_file(**each));
  });
}

TEST(unhappy, a_file_that_could_not_be_freed_leaves_the_mark_of_an_error) {
  constexpr u32 zone_map = INODE_TABLE_BLOCK - 1;
  with_mounted_stick(1, {}, [](medium& stick, session& process) {
    ASSERT_TRUE(process.write("/mnt/1", pattern(30'000, 1)));
    ASSERT_TRUE(sys_sync());
    lose_block(stick, zone_map);
    EXPECT_TRUE(process.unlink("/mnt/1"));
    EXPECT_TRUE(process.umount("/mnt"));
    EXPECT_EQ(minix_image(stick.durable()).state() & 3, 2);
  });
}

// The block of the inode table is read before the number is taken.
TEST(unhappy, a_file_whose_inode_cannot_be_written_takes_no_number) {
  constexpr u32 second_inode_block = 5;
  medium stick(mkfs_minix(400, 64));
  run(1, [&] {
    session process(boot_with_root({.buffers = 512}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    for (u32 i = 2; i <= 32; ++i)
      ASSERT_TRUE(process.write("/mnt/" + std::to_string(i), ""));  // the first block is full
    ASSERT_TRUE(sys_sync());
    drop_clean_buffers(sda);
    stick.fault = [](block_command cmd, lba first, u32 sectors) -> std::optional<error> {
      const u32 bad = second_inode_block * SECTORS_PER_BLOCK;
      const bool hit = first.value() <= bad && bad < first.value() + sectors;
      return cmd == block_command::read && hit ? std::optional(error::eio) : std::nullopt;
    };
    const u32 before = statfs_path(process.context(), "/mnt")->ffree;
    EXPECT_ERROR(error::eio, process.write("/mnt/new", ""));
    EXPECT_EQ(statfs_path(process.context(), "/mnt")->ffree, before);
    stick.fault = {};
    EXPECT_OK(process.write("/mnt/new", ""));
    EXPECT_OK(process.umount());
  });
  EXPECT_EQ(fsck_minix(stick.durable()), "");
}

}  // namespace
