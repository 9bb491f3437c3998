// Every call of the file system on a volume that was given up, and on one that was unmounted by
// force: each answers eio, none stops or changes anything, and the volume can be unmounted.
#include <gtest/gtest.h>

#include <array>

#include "fs/inode.h"
#include "fs/namei.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// What was open when the volume died.
struct left {
  opened& file;
  opened& directory;
  opened& raw;
  inode_ref& inode;
};

struct dead_call {
  const char* name;
  error answer;
  std::function<error(fs_context&, left&)> make;
};

template <class Call>
dead_call row(const char* name, Call call, error answer = error::eio) {
  return {name, answer, [call](fs_context& ctx, left& open) { return error_of(call(ctx, open)); }};
}

std::array<byte, 100> bytes;
std::array<char, 100> text;

const dead_call calls[] = {
    row("stat", [](auto& ctx, left&) { return stat_path(ctx, "/mnt/file"); }),
    row("statfs", [](auto& ctx, left&) { return statfs_path(ctx, "/mnt"); }),
    row("access", [](auto& ctx, left&) { return access_path(ctx, "/mnt", MAY_READ); }),
    row("access of a file", [](auto& ctx, left&) { return access_path(ctx, "/mnt/file", 4); }),
    row("open", [](auto& ctx, left&) { return open_file(ctx, "/mnt/file", abi::o_rdonly, 0); }),
    row("open the root", [](auto& ctx, left&) { return open_file(ctx, "/mnt", 0, 0); }),
    row("creat", [](auto& ctx, left&) { return write_to(ctx, "/mnt/new", "x"); }),
    row("truncate", [](auto& ctx, left&) { return truncate_path(ctx, "/mnt/file", 3); }),
    row("chmod", [](auto& ctx, left&) { return chmod_path(ctx, "/mnt", 0700); }),
    row("utime", [](auto& ctx, left&) { return utime_path(ctx, "/mnt", 1); }),
    row("mkdir", [](auto& ctx, left&) { return make_directory(ctx, "/mnt/new", 0755); }),
    row("rmdir", [](auto& ctx, left&) { return remove_directory(ctx, "/mnt/dir"); }),
    row("mknod", [](auto& ctx, left&) { return make_node(ctx, "/mnt/new", 0600, dev_id{}); }),
    row("link", [](auto& ctx, left&) { return link_path(ctx, "/mnt/file", "/mnt/new"); }),
    row("unlink", [](auto& ctx, left&) { return unlink_path(ctx, "/mnt/file"); }),
    row("rename", [](auto& ctx, left&) { return rename_path(ctx, "/mnt/file", "/mnt/new"); }),
    row("program", [](auto& ctx, left&) { return open_program(ctx, "/mnt/file"); }),
    row("chdir below", [](auto& ctx, left&) { return change_directory(ctx, "/mnt/dir"); }),
    row("read", [](auto&, left& open) { return open.file.read(10); }),
    row("write", [](auto&, left& open) { return open.file.write("x"); }),
    row("fsync", [](auto&, left& open) { return sync_file(*open.file); }),
    row("fstat", [](auto&, left& open) { return stat_file(*open.file); }),
    row("ftruncate", [](auto&, left& open) { return truncate_file(*open.file, 1); }),
    row("getdents", [](auto&, left& open) { return read_directory(*open.directory, bytes); }),
    row("read the disk", [](auto&, left& open) { return open.raw.read(10); }),
    row("write the disk", [](auto&, left& open) { return open.raw.write("x"); }),
    row("fsync the disk", [](auto&, left& open) { return sync_file(*open.raw); }),
    row("contents", [](auto&, left& open) { return read_contents(*open.inode, 0, bytes); }),
    row("check_alive", [](auto&, left& open) { return check_alive(*open.inode); }),
    row("sync_dev", [](auto&, left&) { return sync_dev(sda); }),
};

void expect_dead(fs_context& ctx, left& open) {
  for (const dead_call& call : calls) {
    const instant begun = now();
    EXPECT_ERROR(call.answer, result<void>(fail(call.make(ctx, open)))) << call.name;
    EXPECT_LT(now() - begun, 1_s) << call.name << " waits";
  }
}

TEST(dead_calls, answer_eio_when_the_volume_was_given_up) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root({.hold = 10_s}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.mkdir("/mnt/dir"));
    ASSERT_TRUE(process.write("/mnt/file", "text"));
    session inside = process.fork();
    ASSERT_TRUE(change_directory(inside.context(), "/mnt/dir"));
    opened file(process.context(), "/mnt/file", abi::o_rdwr);
    opened directory(process.context(), "/mnt/dir", abi::o_rdonly);
    opened raw(process.context(), "/dev/sda", abi::o_rdwr);
    inode_ref inode = std::move(*namei(process.context(), "/mnt/file"));
    left open{file, directory, raw, inode};
    EXPECT_OK(file.write("dirty"));
    pull_from(stick, sda);
    EXPECT_FALSE(stat_file(*file)->size == 0) << "an absence is not noticed";
    await_state(sda, volume_state::dead);
    expect_dead(process.context(), open);
    EXPECT_ERROR(error::eio, current_directory(inside.context(), text));
    EXPECT_OK(change_directory(inside.context(), "/"));
    EXPECT_ERROR(error::eio, file.close());
    EXPECT_ERROR(error::eio, raw.close());
    EXPECT_OK(directory.close());
    inode = inode_ref();
    EXPECT_ERROR(error::eio, process.umount());
    EXPECT_OK(stat_path(process.context(), "/mnt"));
    EXPECT_ERROR(error::enoent, stat_path(process.context(), "/mnt/file"));
  });
}

// The files outlive their file system; it may even be mounted again.
TEST(dead_calls, of_files_that_outlive_their_mount) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.mkdir("/mnt/dir"));
    ASSERT_TRUE(process.write("/mnt/file", "text"));
    session inside = process.fork();
    ASSERT_TRUE(change_directory(inside.context(), "/mnt/dir"));
    opened file(process.context(), "/mnt/file", abi::o_rdwr);
    opened directory(process.context(), "/mnt/dir", abi::o_rdonly);
    EXPECT_OK(sys_sync());
    pull_from(stick, sda);
    EXPECT_OK(process.umount("/mnt", true));
    for (u32 round = 0; round < 2; ++round) {
      EXPECT_ERROR(error::eio, file.read(1));
      EXPECT_ERROR(error::eio, file.write("x"));
      EXPECT_ERROR(error::eio, sync_file(*file));
      EXPECT_ERROR(error::eio, stat_file(*file));
      EXPECT_ERROR(error::eio, truncate_file(*file, 0));
      EXPECT_ERROR(error::eio, read_directory(*directory, bytes));
      EXPECT_ERROR(error::eio, current_directory(inside.context(), text));
      EXPECT_ERROR(error::eio, stat_path(inside.context(), "x"));
      EXPECT_ERROR(error::eio, stat_path(inside.context(), ".."));
      EXPECT_ERROR(error::eio, make_directory(inside.context(), "x", 0755));
      EXPECT_ERROR(error::eio, unlink_path(inside.context(), "x"));
      EXPECT_ERROR(error::eio, open_file(inside.context(), ".", abi::o_rdonly, 0));
      EXPECT_ERROR(error::eio, statfs_path(inside.context(), "."));
      EXPECT_ERROR(error::eio, access_path(inside.context(), ".", MAY_READ));
      EXPECT_ERROR(error::eio, chmod_path(inside.context(), ".", 0700));
      EXPECT_ERROR(error::eio, rename_path(inside.context(), "x", "y"));
      if (round) break;
      sleep_for(1_s);
      plug_as(stick, sda);
      EXPECT_OK(process.mount());
    }
    EXPECT_EQ(process.read("/mnt/file"), "text");
    EXPECT_OK(change_directory(inside.context(), "/"));
    EXPECT_ERROR(error::eio, file.close());
    EXPECT_OK(directory.close());
    EXPECT_OK(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
}

}  // namespace
