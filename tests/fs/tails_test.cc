// The end of a file: what stands behind it in its last block never becomes visible, and blocks are
// freed to the one.
#include <gtest/gtest.h>

#include <cstring>

#include "fs/checkpoint/region.h"
#include "fs/file_dev.h"
#include "fs/minix_format.h"
#include "fs/namei.h"
#include "fs/sync.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

// Bytes of the last block behind the end, as another system may leave them, are not zero.
TEST(tails, what_another_system_left_behind_the_end_is_not_seen) {
  using grow = std::function<result<void>(session&)>;
  const std::pair<u32, grow> ways[] = {
      {2000, [](session& p) { return p.truncate("/mnt/f", 2000); }},
      {1500 + 1, [](session& p) { return p.write_at("/mnt/f", 1500, "x"); }},
      {5000 + 1, [](session& p) { return p.write_at("/mnt/f", 5000, "x"); }},
      {1010, [](session& p) { return p.truncate("/mnt/f", 1010); }}};
  for (const auto& [size, grow_it] : ways) {
    medium stick(mkfs_minix(400));
    run(1, [&] {
      session process(boot_with_root());
      plug_as(stick, sda);
      EXPECT_OK(process.mount());
      EXPECT_OK(process.write("/mnt/f", pattern(1000)));
      EXPECT_OK(process.umount());
      const u32 zone = [&] {
        u16 first;
        std::memcpy(&first, stick.bytes().data() + 4 * BLOCK_SIZE + 32 + 14, sizeof first);
        return u32{first};
      }();
      std::memset(stick.bytes().data() + zone * BLOCK_SIZE + 1000, '#', 24);
      EXPECT_OK(process.mount());
      EXPECT_OK(grow_it(process));
      std::string expected = pattern(1000);
      expected.resize(size);
      if (size % 10 == 1) expected.back() = 'x';
      EXPECT_EQ(process.read("/mnt/f"), expected) << size;
      EXPECT_OK(process.umount());
    });
    EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
  }
}

// Around each border of the tree of zones: the count of blocks that a file uses.
u32 blocks_used_by(u32 size) {
  const u32 data = (size + BLOCK_SIZE - 1) / BLOCK_SIZE;
  u32 used = data;
  if (data > 7) ++used;
  if (data > 519) used += 1 + (data - 519 + 511) / 512;
  return used;
}

TEST(tails, a_cut_frees_each_block_behind_it) {
  on_minix({.blocks = 4000, .buffers = 256}, [](fs_context& ctx) {
    const u32 before = free_blocks(ctx);
    const u32 whole = 1040 * BLOCK_SIZE;
    for (u32 blocks : {1031u, 1030u, 519u, 7u, 1u, 0u})
      for (u32 beyond : {1u, 0u}) {
        const u32 size = blocks * BLOCK_SIZE + beyond;
        EXPECT_OK(write_to(ctx, "/f", pattern(whole)));
        EXPECT_EQ(before - free_blocks(ctx), blocks_used_by(whole));
        EXPECT_OK(truncate_path(ctx, "/f", size));
        EXPECT_EQ(before - free_blocks(ctx), blocks_used_by(size)) << size;
        EXPECT_EQ(stat_path(ctx, "/f")->size, size);
      }
    EXPECT_OK(unlink_path(ctx, "/f"));
  });
}

TEST(tails, growing_takes_no_block) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", pattern(1500)));
    const u32 before = free_blocks(ctx);
    for (u32 size : {1501u, 2048u, 2049u, 600'000u, MAX_FILE_SIZE}) {
      EXPECT_OK(truncate_path(ctx, "/f", size));
      EXPECT_EQ(stat_path(ctx, "/f")->size, size);
      EXPECT_EQ(free_blocks(ctx), before);
    }
    EXPECT_ERROR(error::efbig, truncate_path(ctx, "/f", MAX_FILE_SIZE + 1));
    EXPECT_EQ(stat_path(ctx, "/f")->size, MAX_FILE_SIZE);
    EXPECT_OK(truncate_path(ctx, "/f", 1500));
    EXPECT_EQ(read_from(ctx, "/f"), pattern(1500));
  });
}

TEST(tails, only_regular_files_are_cut) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(make_directory(ctx, "/d", 0755));
    EXPECT_OK(make_node(ctx, "/b", abi::s_ifblk | 0600, sdb));
    EXPECT_ERROR(error::eisdir, truncate_path(ctx, "/d", 0));
    EXPECT_ERROR(error::einval, truncate_path(ctx, "/b", 0));
    EXPECT_ERROR(error::enoent, truncate_path(ctx, "/nothing", 0));
    EXPECT_OK(write_to(ctx, "/f", "text"));
    EXPECT_OK(chmod_path(ctx, "/f", 0444));
    fs_context user = ctx.copy();
    user.euid = 9;
    EXPECT_ERROR(error::eacces, truncate_path(user, "/f", 0));
    EXPECT_ERROR(error::eacces, open_file(user, "/f", abi::o_rdonly | abi::o_trunc, 0));
    const opened dir(ctx, "/d", abi::o_rdonly);
    EXPECT_ERROR(error::einval, truncate_file(*dir, 0));
    EXPECT_EQ(read_from(ctx, "/f"), "text");
    EXPECT_OK(opened(ctx, "/f", abi::o_rdonly | abi::o_trunc).close());
    EXPECT_EQ(read_from(ctx, "/f"), "");
  });
}

// A write covers its bytes and no other, wherever it begins and ends in its blocks.
TEST(tails, writes_around_the_borders_of_blocks) {
  on_minix({.buffers = 128}, [](fs_context& ctx) {
    std::string expected = pattern(40 * BLOCK_SIZE + 100);
    EXPECT_OK(write_to(ctx, "/f", expected));
    u32 salt = 1;
    for (u32 block : {0u, 6u, 7u, 15u, 16u, 39u})
      for (u32 offset : {0u, 1u, 1023u})
        for (u32 size : {1u, 1023u, 1024u, 1025u, 16 * BLOCK_SIZE, 17 * BLOCK_SIZE + 1}) {
          const u32 at = block * BLOCK_SIZE + offset;
          const std::string piece = pattern(size, ++salt);
          const opened f(ctx, "/f", abi::o_rdwr);
          EXPECT_OK(seek_file(*f, static_cast<i32>(at), abi::seek_set));
          EXPECT_EQ(f.write(piece), size);
          EXPECT_EQ(f.write("."), 1u) << "the position is behind what was written";
          if (expected.size() < at + size + 1) expected.resize(at + size + 1);
          expected.replace(at, size, piece);
          expected[at + size] = '.';
          ASSERT_EQ(stat_file(*f)->size, expected.size());
          EXPECT_OK(seek_file(*f, static_cast<i32>(at), abi::seek_set));
          EXPECT_EQ(f.read(size), piece);
        }
    EXPECT_EQ(read_from(ctx, "/f"), expected);
    const inode_ref inode = std::move(*namei(ctx, "/f"));
    std::array<byte, 3000> bytes;
    EXPECT_EQ(read_contents(*inode, 500, bytes), 3000u);
    EXPECT_EQ(0, std::memcmp(bytes.data(), expected.data() + 500, 3000));
    EXPECT_EQ(read_contents(*inode, static_cast<u32>(expected.size()) - 10, bytes), 10u);
    EXPECT_EQ(read_contents(*inode, static_cast<u32>(expected.size()), bytes), 0u);
  });
}

TEST(tails, positions_have_limits) {
  on_minix({}, [](fs_context& ctx) {
    EXPECT_OK(write_to(ctx, "/f", "text"));
    const opened f(ctx, "/f", abi::o_rdwr);
    EXPECT_EQ(seek_file(*f, 2, abi::seek_set), 2u);
    EXPECT_EQ(seek_file(*f, 1, abi::seek_cur), 3u);
    EXPECT_EQ(seek_file(*f, -3, abi::seek_cur), 0u);
    EXPECT_ERROR(error::einval, seek_file(*f, -1, abi::seek_cur));
    EXPECT_EQ(seek_file(*f, -4, abi::seek_end), 0u);
    EXPECT_ERROR(error::einval, seek_file(*f, -5, abi::seek_end));
    EXPECT_ERROR(error::einval, seek_file(*f, 0, abi::seek_end + 1));
    EXPECT_EQ(seek_file(*f, INT32_MAX, abi::seek_set), u32{INT32_MAX});
    EXPECT_ERROR(error::eoverflow, seek_file(*f, 1, abi::seek_cur));
    EXPECT_EQ(f.read(1), "");
    EXPECT_ERROR(error::efbig, f.write("x"));
    EXPECT_EQ(seek_file(*f, 0, abi::seek_cur), u32{INT32_MAX}) << "an error moves nothing";
    EXPECT_EQ(f.write(""), 0u);
    EXPECT_OK(seek_file(*f, static_cast<i32>(MAX_FILE_SIZE), abi::seek_set));
    EXPECT_ERROR(error::efbig, f.write("x"));
    EXPECT_EQ(stat_path(ctx, "/f")->size, 4u);
  });
}

// The blocks of a file that is cut or removed are forgotten: neither is one of them written, nor
// does one keep its place in the region.
TEST(tails, blocks_that_are_freed_before_they_were_written_are_forgotten) {
  for (const bool removes : {false, true}) {
    medium stick(mkfs_minix(400));
    run(1, [&] {
      session process(boot_with_root({.buffers = 256, .slots = 512}));
      plug_as(stick, sda);
      EXPECT_OK(process.mount());
      EXPECT_OK(process.write("/mnt/f", ""));
      EXPECT_OK(sys_sync());
      EXPECT_OK(process.write_at("/mnt/f", 0, pattern(100 * 1024)));
      EXPECT_GT(checkpoint::slots_in_use(), 100u);
      stick.clear_log();
      EXPECT_OK(removes ? process.unlink("/mnt/f") : process.truncate("/mnt/f", 1024));
      EXPECT_LT(checkpoint::slots_in_use(), 8u);
      EXPECT_OK(sys_sync());
      u32 sectors = 0;
      for (const command_record& command : stick.log())
        if (command.cmd == block_command::write) sectors += command.sectors;
      EXPECT_LT(sectors / 2, 8u) << "directory, bitmaps, inodes, one block";
      EXPECT_OK(process.umount());
    });
  }
}

}  // namespace
