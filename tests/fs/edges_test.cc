// Edges of what stands around files: pipes, special files, mounts, messages.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "drivers/char/char_device.h"
#include "fs/inode.h"
#include "fs/inode_table.h"
#include "fs/namei.h"
#include "fs/pipe.h"
#include "fs/super.h"
#include "fs/sync.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

std::span<const byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// --- pipes

// Pieces of all sizes go through one pipe that never waits, beside a string that must stay equal.
TEST(edges, a_pipe_agrees_with_a_string) {
  run(3, [] {
    auto [out, in] = make_pipe();
    (*out)->f_flags |= abi::o_nonblock;
    (*in)->f_flags |= abi::o_nonblock;
    std::string expected;
    for (u32 i = 0; i < 400; ++i) {
      const u32 sizes[] = {0, 1, 1000, 4095, 4096, 4097, 9000};
      const u32 size = sizes[random_below(std::size(sizes))];
      const u32 room = PIPE_SIZE - static_cast<u32>(expected.size());
      const std::string text = pattern(size, i);
      const result<u32> put = write_open_file(**in, bytes_of(text));
      const bool all_or_nothing = size <= PIPE_SIZE;
      const u32 fits = all_or_nothing ? (size <= room ? size : 0) : room;
      if (size > 0 && fits == 0) {
        EXPECT_ERROR(error::eagain, put);
      } else {
        EXPECT_EQ(put, fits);
      }
      expected += text.substr(0, fits);
      EXPECT_EQ(stat_file(**out)->size, expected.size());
      std::string taken(sizes[random_below(std::size(sizes))], '\0');
      const result<u32> got = read_open_file(**out, std::as_writable_bytes(std::span(taken)));
      if (!taken.empty() && expected.empty()) {
        EXPECT_ERROR(error::eagain, got);
        continue;
      }
      ASSERT_EQ(got, std::min(taken.size(), expected.size()));
      EXPECT_EQ(taken.substr(0, *got), expected.substr(0, *got));
      expected.erase(0, *got);
    }
    EXPECT_OK(close_file(**out));
    EXPECT_ERROR(error::epipe, write_open_file(**in, bytes_of("x")));
    EXPECT_EQ(write_open_file(**in, {}), 0u);
    EXPECT_ERROR(error::einval, sync_file(**in));
    EXPECT_OK(close_file(**in));
  });
}

// --- special files

u32 last_position = 0, last_flags = 0;
result<u32> read_some(u8 minor, std::span<byte> to, u32 position, u32 flags) {
  if (minor == 9) return fail(error::eio);
  last_position = position;
  last_flags = flags;
  std::ranges::fill(to, byte{minor});
  return static_cast<u32>(to.size()) / 2;
}
result<u32> write_some(u8 minor, std::span<const byte> from, u32 position, u32 flags) {
  if (minor == 9) return fail(error::eio);
  last_position = position;
  last_flags = flags;
  return static_cast<u32>(from.size()) / 2;
}
result<u32> control(u8 minor, u32 command, std::span<byte> argument) {
  return minor + command + static_cast<u32>(argument.size());
}
const char_device with_all{read_some, write_some, control, [](u32 command) {
                             return command == 7 ? ioctl_argument{12, true} : ioctl_argument{};
                           }};
const char_device with_nothing{};

TEST(edges, a_device_without_that_minor_number_is_not_opened) {
  on_minix({}, [](fs_context& ctx) {
    static constexpr char_device one{.has = [](u8 minor) { return minor == 1; }};
    register_char_device(abi::major_mem, one);
    for (const u8 minor : {u8{0}, u8{1}, u8{2}}) {
      const std::string name = "/" + std::to_string(minor);
      EXPECT_OK(make_node(ctx, name, abi::s_ifchr | 0600, dev_id(abi::major_mem, minor)));
      const auto open = open_file(ctx, name, abi::o_rdwr, 0);
      EXPECT_EQ(error_of(open), minor == 1 ? error{} : error::enxio) << name;
      if (open) EXPECT_OK(close_file(**open));
    }
  });
}

TEST(edges, a_special_file_is_its_device) {
  on_minix({}, [](fs_context& ctx) {
    register_char_device(abi::major_console, with_all);
    register_char_device(abi::major_mem, with_nothing);
    const u16 mode = abi::s_ifchr | 0600;
    EXPECT_OK(make_node(ctx, "/all", mode, dev_id(abi::major_console, 3)));
    EXPECT_OK(make_node(ctx, "/bad", mode, dev_id(abi::major_console, 9)));
    EXPECT_OK(make_node(ctx, "/nothing", mode, dev_id(abi::major_mem, 0)));
    EXPECT_OK(make_node(ctx, "/none", mode, dev_id(77, 0)));
    EXPECT_ERROR(error::enxio, open_file(ctx, "/none", abi::o_rdonly, 0));
    const opened all(ctx, "/all", abi::o_rdwr);
    EXPECT_EQ(all.read(10), std::string(5, '\3'));
    EXPECT_EQ(all.write("12345678"), 4u);
    EXPECT_EQ(last_position, 5u);
    EXPECT_EQ(all.read(2), "\3");
    EXPECT_EQ(last_position, 9u) << "both move the position";
    EXPECT_EQ(last_flags, abi::o_rdwr);
    (*all).f_flags |= abi::o_nonblock;
    EXPECT_EQ(all.read(2), "\3");
    EXPECT_EQ(last_flags, abi::o_rdwr | abi::o_nonblock);
    (*all).f_flags &= ~abi::o_nonblock;
    EXPECT_EQ(all.write("12"), 1u);
    EXPECT_EQ(last_flags, abi::o_rdwr);
    EXPECT_ERROR(error::espipe, seek_file(*all, 0, abi::seek_set));
    std::array<byte, 12> argument;
    EXPECT_EQ(argument_of_ioctl(*all, 7), (ioctl_argument{12, true}));
    EXPECT_EQ(argument_of_ioctl(*all, 8), ioctl_argument{});
    EXPECT_EQ(ioctl_file(*all, 7, argument), 3u + 7 + 12);
    const opened bad(ctx, "/bad", abi::o_rdwr);
    EXPECT_ERROR(error::eio, bad.read(1));
    EXPECT_ERROR(error::eio, bad.write("x"));
    const opened nothing(ctx, "/nothing", abi::o_rdwr);
    EXPECT_EQ(nothing.read(10), "");
    EXPECT_EQ(nothing.write("12345"), 5u);
    EXPECT_EQ(seek_file(*nothing, 4, abi::seek_set), 4u);
    EXPECT_EQ(argument_of_ioctl(*nothing, 7), ioctl_argument{});
    EXPECT_ERROR(error::enotty, ioctl_file(*nothing, 7, argument));
    EXPECT_ERROR(error::einval, sync_file(*all));
    EXPECT_OK(write_to(ctx, "/f", ""));
    const opened file(ctx, "/f", abi::o_rdonly);
    EXPECT_ERROR(error::enotty, ioctl_file(*file, 7, argument));
    EXPECT_ERROR(error::enotty, argument_of_ioctl(*file, 7));
    const opened directory(ctx, "/", abi::o_rdonly);
    EXPECT_ERROR(error::eisdir, directory.read(1));
  });
}

// --- mounts

TEST(edges, a_file_system_that_carries_another_stays) {
  medium stick(mkfs_minix(400)), other(mkfs_minix(400), "OTHER");
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    plug_as(other, sdb);
    EXPECT_OK(process.mount());
    EXPECT_OK(process.mkdir("/mnt/dir"));
    EXPECT_OK(process.mount("/dev/sdb", "/mnt/dir"));
    EXPECT_OK(process.write("/mnt/dir/f", "other"));
    EXPECT_ERROR(error::ebusy, process.umount());
    EXPECT_ERROR(error::ebusy, process.umount("/mnt", true));
    EXPECT_ERROR(error::einval, process.umount("/mnt/dir/f"));
    EXPECT_ERROR(error::ebusy, process.mount("/dev/sdb", "/mnt2"));
    EXPECT_EQ(process.read("/mnt/dir/f"), "other");
    EXPECT_OK(process.umount("/mnt/dir"));
    EXPECT_ERROR(error::enoent, process.read("/mnt/dir/f"));
    EXPECT_OK(process.rmdir("/mnt/dir"));
    EXPECT_OK(process.umount());
    EXPECT_ERROR(error::einval, process.umount());
  });
}

TEST(edges, the_list_of_mounts) {
  medium stick(mkfs_minix(400)), other(mkfs_minix(400), "OTHER");
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    plug_as(other, sdb);
    const auto info = static_cast<u8>(abi::info_file::mounts);
    EXPECT_OK(make_node(process.context(), "/dev/mounts", abi::s_ifchr | 0444,
                        dev_id(abi::major_info, info)));
    EXPECT_OK(process.mount());
    EXPECT_OK(mount_path(process.context(), "/dev/sdb", "/mnt2", abi::ms_rdonly));
    const std::string root = "/dev/ram0 / minix rw\n";
    EXPECT_EQ(process.read("/dev/mounts"),
              root + "/dev/sda /mnt minix rw\n/dev/sdb /mnt2 minix ro\n");
    EXPECT_OK(process.umount());
    EXPECT_EQ(process.read("/dev/mounts"), root + "/dev/sdb /mnt2 minix ro\n");
    EXPECT_OK(process.umount("/mnt2"));
    EXPECT_EQ(process.read("/dev/mounts"), root);
  });
}

// --- messages

TEST(edges, damage_is_printed_twenty_times_and_counted_always) {
  medium stick(mkfs_minix(400));
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    EXPECT_OK(process.mount());
    super_block& sb = *get_super(sda);
    for (u32 i = 0; i < 25; ++i) complain(sb, "a test", i);
    EXPECT_EQ(sb.s_complaints, 25u);
    EXPECT_TRUE(said("/dev/sda: damaged file system: a test (19)"));
    EXPECT_FALSE(said("a test (20)"));
    EXPECT_OK(process.umount());
  });
  EXPECT_EQ(minix_image(stick.durable()).state() & 3, 2);
}

TEST(edges, the_path_for_messages_keeps_its_end) {
  on_minix({}, [](fs_context& ctx) {
    std::string path;
    for (u32 i = 0; i < 6; ++i) {
      path += "/directory-" + std::to_string(i);
      EXPECT_OK(make_directory(ctx, path, 0755));
      const inode_ref inode = std::move(*namei(ctx, path));
      const std::string known(inode->path());
      const std::string expected = path.size() <= 63 ? path : "..." + path.substr(path.size() - 60);
      EXPECT_EQ(known, expected);
    }
    EXPECT_EQ(namei(ctx, "/").value()->path(), "/");
  });
}

}  // namespace
