// Mounting and unmounting.
#include <algorithm>
#include <cstring>

#include "fs/read_super.h"
#include "fs/sync.h"
#include "tests/fs/mount_fixture.h"

using namespace sim;

namespace {

TEST_F(Mount, TheInodesOfADirectoryAreReadTogether) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    for (u32 i = 0; i < 60; ++i) EXPECT_OK(write_to(ctx, "/mnt/f" + std::to_string(i), ""));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    stick.clear_log();
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    for (u32 i = 0; i < 60; ++i) EXPECT_OK(stat_path(ctx, "/mnt/f" + std::to_string(i)));
    const auto of_inodes = [](const command_record& c) {
      return c.cmd == block_command::read && c.first.value() / SECTORS_PER_BLOCK >= 4 &&
             c.first.value() / SECTORS_PER_BLOCK < 6;
    };
    EXPECT_EQ(std::ranges::count_if(stick.log(), of_inodes), 1) << "two blocks of inodes";
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
}

TEST_F(Mount, AndUmountAgain) {
  in_machine([&](fs_context& ctx) {
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/mnt/f"));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_OK(write_to(ctx, "/mnt/f", pattern(50'000)));
    EXPECT_EQ(stat_path(ctx, "/mnt")->ino, 1u);
    EXPECT_EQ(stat_path(ctx, "/mnt/..")->dev, sda.value());
    EXPECT_EQ(statfs_path(ctx, "/mnt")->namelen, 14u);
    EXPECT_OK(sys_sync());
    EXPECT_EQ(stored_state() & 1, 0) << "in use";
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    EXPECT_EQ(stored_state() & 1, 1);
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/mnt/f"));
    EXPECT_ERROR(error::einval, umount_path(ctx, "/mnt", false));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_EQ(read_from(ctx, "/mnt/f"), pattern(50'000));
    EXPECT_OK(umount_path(ctx, "/sdb", false));
  });
  judge(stick.durable());
  EXPECT_EQ(minix_image(stick.durable()).files().at("/f").content, pattern(50'000));
}

TEST_F(Mount, KnowsItsPlaceInTheTree) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/mnt/below", 0755));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_ERROR(error::enoent, stat_path(ctx, "/mnt/below"));
    EXPECT_OK(make_directory(ctx, "/mnt/d", 0755));
    EXPECT_OK(change_directory(ctx, "/mnt/d"));
    std::array<char, 64> name{};
    EXPECT_OK(current_directory(ctx, name));
    EXPECT_STREQ(name.data(), "/mnt/d");
    EXPECT_OK(change_directory(ctx, "../.."));
    EXPECT_OK(current_directory(ctx, name));
    EXPECT_STREQ(name.data(), "/");
    EXPECT_OK(write_to(ctx, "/f", "x"));
    EXPECT_ERROR(error::exdev, rename_path(ctx, "/f", "/mnt/f"));
    EXPECT_ERROR(error::exdev, link_path(ctx, "/f", "/mnt/f"));
    EXPECT_ERROR(error::ebusy, rename_path(ctx, "/mnt", "/other"));
    EXPECT_ERROR(error::ebusy, remove_directory(ctx, "/mnt"));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    EXPECT_OK(stat_path(ctx, "/mnt/below"));
  });
}

TEST_F(Mount, RefusesWhatItMust) {
  in_machine([&](fs_context& ctx) {
    EXPECT_ERROR(error::enotblk, mount_path(ctx, "/mnt", "/mnt", 0));
    EXPECT_ERROR(error::enotdir, mount_path(ctx, "/sdb", "/sdb", 0));
    EXPECT_ERROR(error::ebusy, mount_path(ctx, "/sdb", "/", 0));
    EXPECT_OK(make_node(ctx, "/sdc", abi::s_ifblk | 0600, dev_id(8, 32)));
    EXPECT_ERROR(error::enxio, mount_path(ctx, "/sdc", "/mnt", 0));
    EXPECT_OK(make_node(ctx, "/sda", abi::s_ifblk | 0600, sda));
    EXPECT_ERROR(error::ebusy, mount_path(ctx, "/sda", "/mnt", 0));
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_ERROR(error::ebusy, mount_path(ctx, "/sdb", "/mnt", 0));
    {
      const opened f(ctx, "/mnt/f", abi::o_creat | abi::o_wronly);
      EXPECT_ERROR(error::ebusy, umount_path(ctx, "/mnt", false));
      EXPECT_ERROR(error::ebusy, umount_path(ctx, "/mnt", true));
      EXPECT_EQ(f.write("still works"), 11u);
    }
    EXPECT_ERROR(error::ebusy, umount_path(ctx, "/", false));
    fs_context user = ctx.copy();
    user.euid = 7;
    EXPECT_ERROR(error::eperm, umount_path(user, "/mnt", false));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
    EXPECT_ERROR(error::eperm, mount_path(user, "/sdb", "/mnt", 0));
  });
}

TEST_F(Mount, ReadOnlyWritesNothing) {
  const std::vector<byte> before = [&] {
    in_machine([&](fs_context& ctx) {
      EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
      EXPECT_OK(write_to(ctx, "/mnt/f", "text"));
      EXPECT_OK(umount_path(ctx, "/mnt", false));
      unfurnish(ctx);
    });
    return stick_bytes();
  }();
  for (bool protect : {false, true}) {
    stick.write_protected = protect;
    in_machine([&](fs_context& ctx) {
      EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", protect ? 0 : abi::ms_rdonly));
      EXPECT_EQ(read_from(ctx, "/mnt/f"), "text");
      EXPECT_ERROR(error::erofs, write_to(ctx, "/mnt/f", "x"));
      EXPECT_ERROR(error::erofs, write_to(ctx, "/mnt/g", "x"));
      EXPECT_ERROR(error::erofs, unlink_path(ctx, "/mnt/f"));
      EXPECT_ERROR(error::erofs, make_directory(ctx, "/mnt/d", 0755));
      EXPECT_ERROR(error::erofs, rename_path(ctx, "/mnt/f", "/mnt/g"));
      EXPECT_ERROR(error::erofs, chmod_path(ctx, "/mnt/f", 0600));
      EXPECT_ERROR(error::erofs, truncate_path(ctx, "/mnt/f", 0));
      EXPECT_ERROR(error::erofs, access_path(ctx, "/mnt/f", 2));
      if (protect) {
        EXPECT_ERROR(error::erofs, open_file(ctx, "/sdb", abi::o_rdwr, 0));
      }
      EXPECT_OK(umount_path(ctx, "/mnt", false));
      unfurnish(ctx);
    });
    EXPECT_EQ(stick_bytes(), before);
  }
}

TEST_F(Mount, KeepsTheStateThatItFound) {
  put_super(18, 0);
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    EXPECT_TRUE(said("not unmounted cleanly"));
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
  EXPECT_EQ(stored_state(), 0) << "only fsck may say that it is valid again";
}

// One impossible value in the superblock at a time.
TEST_F(Mount, RefusesSuperblocksThatMakeNoSense) {
  struct nonsense {
    u32 offset;
    u16 value;
  };
  const std::vector<byte> good = stick_bytes();
  for (const nonsense& n : std::initializer_list<nonsense>{{0, 0},
                                                           {0, 60000},
                                                           {2, 0},
                                                           {2, 1025},
                                                           {4, 0},
                                                           {4, 0xFFFF},
                                                           {6, 0},
                                                           {6, 9},
                                                           {8, 0},
                                                           {8, 3},
                                                           {8, 1024},
                                                           {10, 1},
                                                           {16, 0x2468},
                                                           {16, 0}}) {
    SCOPED_TRACE(std::to_string(n.offset) + " = " + std::to_string(n.value));
    put_super(n.offset, n.value);
    in_machine([&](fs_context& ctx) {
      EXPECT_ERROR(error::einval, mount_path(ctx, "/sdb", "/mnt", 0));
      unfurnish(ctx);
    });
    std::ranges::copy(good, stick.bytes().begin());
  }
}

TEST_F(Mount, WriteErrorsAreReported) {
  in_machine([&](fs_context& ctx) {
    EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
    opened f(ctx, "/mnt/f", abi::o_creat | abi::o_rdwr);
    EXPECT_EQ(f.write(pattern(3000)), 3000u);
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (cmd == block_command::write && broken) return error::eio;
      return {};
    };
    EXPECT_ERROR(error::eio, sync_file(*f));
    broken = false;
    EXPECT_OK(sync_file(*f));
    broken = true;
    EXPECT_EQ(f.write("x"), 1u);
    static_cast<void>(sys_sync());
    broken = false;
    EXPECT_ERROR(error::eio, f.close());
    EXPECT_OK(umount_path(ctx, "/mnt", false));
  });
  judge(stick.durable());
}

TEST_F(Mount, RawBlocksAndFilesAreOneCache) {
  in_machine([&](fs_context& ctx) {
    {
      opened raw(ctx, "/sdb", abi::o_rdwr);
      EXPECT_EQ(seek_file(*raw, 0, abi::seek_end), 1024u * 1024);
      EXPECT_EQ(raw.read(1), "");
      EXPECT_ERROR(error::enospc, raw.write("x"));
      EXPECT_OK(seek_file(*raw, 900 * 1024 + 10, abi::seek_set));
      EXPECT_EQ(raw.write(pattern(40'000)), 40'000u);
      EXPECT_OK(seek_file(*raw, 900 * 1024 + 10, abi::seek_set));
      EXPECT_EQ(raw.read(40'000), pattern(40'000));
      EXPECT_OK(raw.close());
    }
    const auto bytes = stick.durable();
    EXPECT_EQ(0, std::memcmp(bytes.data() + 900 * 1024 + 10, pattern(40'000).data(), 40'000));
  });
}

}  // namespace
