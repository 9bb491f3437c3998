// What is known of a file beside its bytes: stat and statfs field by field, access, chmod, utime,
// the records of getdents, the current directory.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "fs/minix_format.h"
#include "fs/namei.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

TEST(attributes, stat_tells_every_field_of_a_file) {
  on_minix({}, [](fs_context& ctx) {
    ctx.euid = 0;
    ctx.egid = 7;
    ctx.umask = 027;
    sleep_for(50_s);
    EXPECT_OK(write_to(ctx, "/f", pattern(1025)));
    EXPECT_OK(link_path(ctx, "/f", "/g"));
    const abi::stat s = *stat_path(ctx, "/f");
    EXPECT_EQ(s.dev, sda.value());
    EXPECT_EQ(s.ino, 2u);
    EXPECT_EQ(s.mode, abi::s_ifreg | 0640);
    EXPECT_EQ(s.nlink, 2);
    EXPECT_EQ(s.uid, 0);
    EXPECT_EQ(s.gid, 7);
    EXPECT_EQ(s.rdev, 0);
    EXPECT_EQ(s.size, 1025u);
    EXPECT_EQ(s.blksize, 1024u);
    EXPECT_EQ(s.blocks, 4u) << "in units of 512 bytes";
    for (u32 time : {s.atime, s.mtime, s.ctime}) EXPECT_EQ(time, current_time());
    const opened f(ctx, "/g", abi::o_rdonly);
    const abi::stat same = *stat_file(*f);
    EXPECT_EQ(0, std::memcmp(&s, &same, sizeof s));
    ctx.umask = 022;
  });
}

TEST(attributes, a_size_is_rounded_up_to_blocks) {
  on_minix({}, [](fs_context& ctx) {
    const std::pair<u32, u32> cases[] = {{0, 0},    {1, 2},    {1023, 2},
                                         {1024, 2}, {1025, 4}, {2048, 4}};
    for (const auto& [size, sectors] : cases) {
      EXPECT_OK(write_to(ctx, "/f", pattern(size)));
      EXPECT_EQ(stat_path(ctx, "/f")->size, size);
      EXPECT_EQ(stat_path(ctx, "/f")->blocks, sectors) << size;
    }
  });
}

TEST(attributes, of_directories_devices_and_pipes) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0751));
    EXPECT_EQ(stat_path(ctx, "/d")->mode, abi::s_ifdir | 0751);
    EXPECT_EQ(stat_path(ctx, "/d")->nlink, 2);
    EXPECT_EQ(stat_path(ctx, "/d")->size, 64u);
    EXPECT_EQ(stat_path(ctx, "/")->nlink, 3);
    EXPECT_OK(make_directory(ctx, "/d/e", 0777));
    EXPECT_EQ(stat_path(ctx, "/d")->nlink, 3);
    EXPECT_EQ(stat_path(ctx, "/d")->size, 96u);
    EXPECT_EQ(stat_path(ctx, "/d/e")->mode, abi::s_ifdir | 0755);
    EXPECT_OK(make_node(ctx, "/block", abi::s_ifblk | 0640, dev_id(8, 3)));
    EXPECT_OK(make_node(ctx, "/char", abi::s_ifchr | 0604, dev_id(4, 5)));
    EXPECT_EQ(stat_path(ctx, "/block")->rdev, 0x803);
    EXPECT_EQ(stat_path(ctx, "/block")->mode, abi::s_ifblk | 0640);
    EXPECT_EQ(stat_path(ctx, "/char")->rdev, 0x405);
    EXPECT_EQ(stat_path(ctx, "/char")->mode, abi::s_ifchr | 0604);
    EXPECT_EQ(stat_path(ctx, "/char")->size, 0u);
    const auto [out, in] = make_pipe();
    EXPECT_EQ(stat_file(**out)->mode, abi::s_ififo | 0600);
    EXPECT_EQ(stat_file(**out)->nlink, 1);
    EXPECT_EQ(stat_file(**out)->rdev, 0);
    EXPECT_OK(close_file(**out));
    EXPECT_OK(close_file(**in));
  });
}

TEST(attributes, plain_files_are_made_by_mknod_too) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(make_node(ctx, "/a", 0666, sdb));
    EXPECT_OK(make_node(ctx, "/b", abi::s_ifreg | 0600, sdb));
    for (const char* path : {"/a", "/b"}) {
      EXPECT_EQ(stat_path(ctx, path)->mode & abi::s_ifmt, abi::s_ifreg);
      EXPECT_EQ(stat_path(ctx, path)->rdev, 0);
      EXPECT_OK(write_to(ctx, path, "text"));  // no device number stands where its zones stand
    }
    EXPECT_EQ(stat_path(ctx, "/a")->mode & 07777, 0644);
    EXPECT_ERROR(error::einval, make_node(ctx, "/c", abi::s_ifdir | 0600, dev_id{}));
    EXPECT_ERROR(error::einval, make_node(ctx, "/c", abi::s_ififo | 0600, dev_id{}));
    EXPECT_ERROR(error::enoent, make_node(ctx, "/c/", 0600, dev_id{}));
    EXPECT_ERROR(error::eexist, make_node(ctx, "/a", 0600, dev_id{}));
    fs_context user = ctx.copy();
    user.euid = 5;
    EXPECT_ERROR(error::eperm, make_node(user, "/c", abi::s_ifchr | 0600, dev_id(4, 0)));
    EXPECT_ERROR(error::eperm, make_node(user, "/c", abi::s_ifblk | 0600, sdb));
  });
}

TEST(attributes, statfs_tells_every_field) {
  for (const u32 name_length : {14u, 30u}) {
    const auto image =
        on_minix({.blocks = 700, .inodes = 96, .name_length = name_length}, [&](fs_context& ctx) {
          const abi::statfs before = *statfs_path(ctx, "/");
          EXPECT_EQ(before.type, name_length == 14 ? 0x137Fu : 0x138Fu);
          EXPECT_EQ(before.bsize, 1024u);
          EXPECT_EQ(before.frsize, 1024u);
          EXPECT_EQ(before.files, 96u);
          EXPECT_EQ(before.ffree, 95u);
          EXPECT_EQ(before.blocks, 700u - 2 - 1 - 1 - 3) << "boot, super, bitmaps, 96 inodes";
          EXPECT_EQ(before.bfree, before.blocks - 1) << "the root directory has one";
          EXPECT_EQ(before.bavail, before.bfree);
          EXPECT_EQ(before.fsid[0], sda.value());
          EXPECT_EQ(before.namelen, name_length);
          EXPECT_EQ(before.flags, 0u);
          EXPECT_OK(write_to(ctx, "/f", pattern(8 * 1024)));
          EXPECT_EQ(statfs_path(ctx, "/f")->bfree, before.bfree - 9)
              << "eight and an indirect block";
          EXPECT_EQ(statfs_path(ctx, "/f")->ffree, 94u);
          EXPECT_ERROR(error::enoent, statfs_path(ctx, "/g"));
        });
  }
}

TEST(attributes, statfs_tells_that_it_is_read_only) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    EXPECT_OK(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
    EXPECT_EQ(statfs_path(process.context(), "/mnt")->flags, 1u);
    EXPECT_OK(process.umount());
  });
}

// access asks for each permission of its own; the owner's bits count for the owner, the group's for
// the group, and for no other.
TEST(attributes, access_by_owner_group_and_others) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", "x"));
    struct who {
      u16 euid, egid;
      u32 shift;
    };
    fs_context owner = ctx.copy();
    EXPECT_OK(make_directory(ctx, "/all", 0777));
    EXPECT_OK(chmod_path(ctx, "/all", 0777));
    owner.euid = 10;
    owner.egid = 20;
    EXPECT_OK(write_to(owner, "/all/f", "x"));
    for (const who& each : {who{10, 99, 6}, who{11, 20, 3}, who{11, 21, 0}}) {
      fs_context user = ctx.copy();
      user.euid = each.euid;
      user.egid = each.egid;
      for (u32 has = 0; has < 8; ++has)
        for (u32 asks = 0; asks < 8; ++asks) {
          const u32 mode = has << each.shift | (0777 & ~(7u << each.shift) & ~0777u);
          EXPECT_OK(chmod_path(ctx, "/all/f", static_cast<u16>(mode)));
          const bool may = (asks & ~has) == 0;
          EXPECT_EQ(access_path(user, "/all/f", asks).has_value(), may)
              << each.shift << " has " << has << " asks " << asks;
        }
    }
    EXPECT_ERROR(error::einval, access_path(ctx, "/f", 8));
    EXPECT_ERROR(error::enoent, access_path(ctx, "/g", 0));
  });
}

TEST(attributes, root_may_all_but_execute_what_no_one_may) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", "x"));
    EXPECT_OK(chmod_path(ctx, "/f", 0));
    EXPECT_OK(access_path(ctx, "/f", MAY_READ | MAY_WRITE));
    EXPECT_ERROR(error::eacces, access_path(ctx, "/f", MAY_EXEC));
    for (const u16 bit : {u16{0100}, u16{0010}, u16{0001}}) {
      EXPECT_OK(chmod_path(ctx, "/f", bit));
      EXPECT_OK(access_path(ctx, "/f", MAY_EXEC));
    }
    EXPECT_OK(make_directory(ctx, "/d", 0));
    EXPECT_OK(access_path(ctx, "/d", MAY_EXEC));
  });
}

TEST(attributes, writing_a_read_only_disk_is_refused_but_not_its_devices) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    EXPECT_OK(process.mount());
    EXPECT_OK(process.write("/mnt/f", "x"));
    EXPECT_OK(make_node(process.context(), "/mnt/c", abi::s_ifchr | 0666, dev_id(1, 3)));
    EXPECT_OK(make_node(process.context(), "/mnt/b", abi::s_ifblk | 0666, sdb));
    EXPECT_OK(process.umount());
    EXPECT_OK(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
    EXPECT_OK(access_path(process.context(), "/mnt/f", MAY_READ));
    EXPECT_ERROR(error::erofs, access_path(process.context(), "/mnt/f", MAY_WRITE));
    EXPECT_OK(access_path(process.context(), "/mnt/c", MAY_WRITE));
    EXPECT_OK(access_path(process.context(), "/mnt/b", MAY_WRITE));
    EXPECT_ERROR(error::erofs, utime_path(process.context(), "/mnt/f", 1));
    EXPECT_EQ(process.read("/mnt/f"), "x");
    EXPECT_OK(process.umount());
  });
}

TEST(attributes, chmod_and_utime_are_for_the_owner_and_for_root) {
  const auto image = on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(chmod_path(ctx, "/", 0777));
    fs_context owner = ctx.copy(), other = ctx.copy();
    owner.euid = 10;
    other.euid = 11;
    EXPECT_OK(write_to(owner, "/f", "x"));
    EXPECT_OK(chmod_path(owner, "/f", 07777 | abi::s_ifdir));
    EXPECT_EQ(stat_path(ctx, "/f")->mode, abi::s_ifreg | 07777) << "the type stays";
    EXPECT_OK(utime_path(owner, "/f", 111));
    EXPECT_ERROR(error::eperm, chmod_path(other, "/f", 0));
    EXPECT_ERROR(error::eperm, utime_path(other, "/f", 1));
    EXPECT_EQ(stat_path(ctx, "/f")->mtime, 111u);
    EXPECT_EQ(stat_path(ctx, "/f")->uid, 10);
    EXPECT_OK(chmod_path(ctx, "/f", 0));
    EXPECT_OK(utime_path(ctx, "/f", 222));  // the last change: no other one writes the inode
    EXPECT_EQ(stat_path(ctx, "/f")->mtime, 222u);
  });
  u32 mtime;
  std::memcpy(&mtime, image.data() + 4 * BLOCK_SIZE + 32 + 8, sizeof mtime);
  EXPECT_EQ(mtime, 222u) << "and is on the disk";
}

// --- getdents

struct record {
  abi::dirent head;
  std::string name;
};

std::vector<record> records_of(std::span<const byte> bytes) {
  std::vector<record> all;
  for (size_t at = 0; at < bytes.size();) {
    record each{};
    std::memcpy(&each.head, bytes.data() + at, abi::dirent_name_offset);
    each.name = reinterpret_cast<const char*>(bytes.data()) + at + abi::dirent_name_offset;
    at += each.head.record_length;
    all.push_back(each);
  }
  return all;
}

TEST(attributes, the_records_of_a_directory) {
  on_minix({}, [](fs_context& ctx) {
    for (const char* name : {"/a", "/ab", "/gone", "/abcd", "/abcde"})
      EXPECT_OK(write_to(ctx, name, ""));
    EXPECT_OK(unlink_path(ctx, "/gone"));
    const opened dir(ctx, "/", abi::o_rdonly);
    std::array<byte, 400> bytes;
    bytes.fill(byte{0xEE});
    const result<u32> size = read_directory(*dir, bytes);
    ASSERT_TRUE(size);
    const auto records = records_of(std::span(bytes).first(*size));
    ASSERT_EQ(records.size(), 6u);
    const char* names[] = {".", "..", "a", "ab", "abcd", "abcde"};
    const u32 positions[] = {0, 1, 2, 3, 5, 6};
    const u32 lengths[] = {12, 16, 12, 16, 16, 16};  // 10, the name, its NUL; in whole words
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].name, names[i]);
      EXPECT_EQ(records[i].head.ino, stat_path(ctx, std::string("/") + names[i])->ino);
      EXPECT_EQ(records[i].head.offset, (positions[i] + 1) * 32);
      EXPECT_EQ(records[i].head.record_length, lengths[i]);
    }
    EXPECT_EQ(bytes[11], byte{}) << "no byte is left as it was";
    EXPECT_EQ(bytes[*size], byte{0xEE});
    EXPECT_EQ(read_directory(*dir, bytes), 0u);
    EXPECT_OK(seek_file(*dir, 3 * 32, abi::seek_set));
    EXPECT_EQ(read_directory(*dir, std::span(bytes).first(16)), 16u) << "exactly one fits";
    EXPECT_EQ(records_of(std::span(bytes).first(16))[0].name, "ab");
    EXPECT_ERROR(error::einval, read_directory(*dir, std::span(bytes).first(15)));
    EXPECT_EQ(read_directory(*dir, std::span(bytes).first(31)), 16u) << "the next does not fit";
    EXPECT_EQ(read_directory(*dir, std::span(bytes).first(31)), 16u) << "and was not lost";
    const opened file(ctx, "/a", abi::o_rdonly);
    EXPECT_ERROR(error::enotdir, read_directory(*file, bytes));
  });
}

// --- The current directory

TEST(attributes, getcwd_needs_room_for_the_path_and_its_end) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/dir", 0755));
    EXPECT_OK(make_directory(ctx, "/dir/sub", 0755));
    fs_context process = ctx.copy();
    const auto path_in = [&](size_t room) -> result<std::string> {
      std::string text(room, '#');
      const u32 length = TRY(current_directory(process, text));
      return text.substr(0, length);
    };
    EXPECT_EQ(path_in(2), std::string("/\0", 2));
    EXPECT_ERROR(error::erange, path_in(1));
    EXPECT_ERROR(error::erange, path_in(0));
    EXPECT_OK(change_directory(process, "/dir/sub"));
    EXPECT_EQ(path_in(10), std::string("/dir/sub\0", 9));
    EXPECT_EQ(path_in(9), std::string("/dir/sub\0", 9));
    for (size_t room : {8u, 5u, 4u, 1u}) EXPECT_ERROR(error::erange, path_in(room)) << room;
    EXPECT_ERROR(error::enoent, change_directory(process, "/nowhere"));
    EXPECT_OK(write_to(ctx, "/f", ""));
    EXPECT_ERROR(error::enotdir, change_directory(process, "/f"));
    EXPECT_OK(chmod_path(ctx, "/dir", 0700));
    fs_context user = ctx.copy();
    user.euid = 3;
    EXPECT_ERROR(error::eacces, change_directory(user, "/dir"));
    EXPECT_OK(change_directory(process, ".."));
    EXPECT_OK(remove_directory(ctx, "/dir/sub"));
    EXPECT_EQ(path_in(5), std::string("/dir\0", 5));
    EXPECT_OK(remove_directory(ctx, "/dir"));
    EXPECT_ERROR(error::enoent, path_in(20));
  });
}

}  // namespace
