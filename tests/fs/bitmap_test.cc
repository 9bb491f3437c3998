// The two bitmaps on disks whose maps have several blocks: each free bit is given out once, the
// lowest first, and counted.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <set>

#include "fs/bitmap.h"
#include "fs/inode_lock.h"
#include "fs/namei.h"
#include "fs/super.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

constexpr u32 bits_per_block = 8192;

struct layout {
  explicit layout(std::span<const byte> image) {
    u16 fields[5];
    std::memcpy(fields, image.data() + BLOCK_SIZE, sizeof fields);
    inodes = fields[0], zones = fields[1], imap_blocks = fields[2], zmap_blocks = fields[3];
    first_data = fields[4];
  }
  u32 zmap() const { return (2 + imap_blocks) * BLOCK_SIZE; }
  u32 zone_bits() const { return zones - first_data + 1; }
  u32 inodes, zones, imap_blocks, zmap_blocks, first_data;
};

void set_bits(std::span<byte> image, u32 at, u32 from, u32 to) {
  for (u32 bit = from; bit < to; ++bit) image[at + bit / 8] |= byte{1} << bit % 8;
}
void clear_bit(std::span<byte> image, u32 at, u32 bit) {
  image[at + bit / 8] &= ~(byte{1} << bit % 8);
}

// Only some zones are free, around the borders of bytes and of the map's blocks: exactly these are
// given out, in their order.
TEST(bitmaps, give_out_exactly_the_free_zones) {
  std::vector<byte> image = mkfs_minix(20'000, 64);
  const layout map(image);
  ASSERT_EQ(map.zmap_blocks, 3u);
  const u32 last = map.zone_bits() - 1;
  const std::set<u32> free = {9,    15,   16,   17,    31,    8184,     8190, 8191,
                              8192, 8193, 8199, 16383, 16384, last - 1, last};
  set_bits(image, map.zmap(), 0, map.zone_bits());
  for (u32 bit : free) clear_bit(image, map.zmap(), bit);
  medium stick(image);
  run(1, [&] {
    session process(boot_with_root({.buffers = 128}));
    plug_as(stick, sda);
    EXPECT_OK(process.mount());
    EXPECT_EQ(statfs_path(process.context(), "/mnt")->bfree, free.size());
    u32 left = static_cast<u32>(free.size());
    for (u32 bit : free) {
      const std::string path = "/mnt/f" + std::to_string(bit);
      EXPECT_OK(process.write(path, "x"));
      const u32 zone = namei(process.context(), path).value()->i_zone[0];
      EXPECT_EQ(zone, bit + map.first_data - 1);
      EXPECT_EQ(statfs_path(process.context(), "/mnt")->bfree, --left);
    }
    EXPECT_ERROR(error::enospc, process.write("/mnt/more", "x"));
    EXPECT_OK(process.unlink("/mnt/f8192"));
    EXPECT_OK(process.unlink("/mnt/f16"));
    EXPECT_EQ(statfs_path(process.context(), "/mnt")->bfree, 2u);
    for (u32 bit : {16u, 8192u}) {
      const std::string path = "/mnt/g" + std::to_string(bit);
      EXPECT_OK(process.write(path, "x"));
      EXPECT_EQ(namei(process.context(), path).value()->i_zone[0], bit + map.first_data - 1);
    }
    EXPECT_OK(process.unlink("/mnt/more"));
    EXPECT_OK(process.umount());
  });
}

// The same for inode numbers: the map of 9000 inodes has two blocks.
TEST(bitmaps, give_out_exactly_the_free_inodes) {
  std::vector<byte> image = mkfs_minix(2'000, 9'000);
  const layout map(image);
  ASSERT_EQ(map.imap_blocks, 2u);
  const std::set<u32> free = {7, 8, 9, 63, 8191, 8192, 8193, map.inodes - 1, map.inodes};
  set_bits(image, 2 * BLOCK_SIZE, 0, map.inodes + 1);
  for (u32 bit : free) clear_bit(image, 2 * BLOCK_SIZE, bit);
  medium stick(image);
  run(1, [&] {
    session process(boot_with_root({.buffers = 128}));
    plug_as(stick, sda);
    EXPECT_OK(process.mount());
    u32 left = static_cast<u32>(free.size());
    EXPECT_EQ(statfs_path(process.context(), "/mnt")->ffree, left);
    for (u32 bit : free) {
      const std::string path = "/mnt/f" + std::to_string(bit);
      EXPECT_OK(process.write(path, ""));
      EXPECT_EQ(stat_path(process.context(), path)->ino, bit);
      EXPECT_EQ(statfs_path(process.context(), "/mnt")->ffree, --left);
    }
    EXPECT_ERROR(error::enospc, process.write("/mnt/more", ""));
    EXPECT_OK(process.unlink("/mnt/f8192"));
    EXPECT_OK(process.write("/mnt/again", ""));
    EXPECT_EQ(stat_path(process.context(), "/mnt/again")->ino, 8192u);
    EXPECT_OK(process.umount());
  });
}

// A new file gets an inode and blocks that hold nothing of what was there before.
TEST(bitmaps, what_is_given_out_again_is_blank) {
  const auto image = on_minix({.blocks = 400, .inodes = 32}, [](fs_context& ctx) {
    fs_context user = ctx.copy();
    user.euid = 77;
    user.egid = 88;
    EXPECT_OK(chmod_path(ctx, "/", 0777));
    EXPECT_OK(write_to(user, "/old", std::string(300 * 1024, '#')));
    const u32 number = stat_path(ctx, "/old")->ino;
    EXPECT_OK(unlink_path(ctx, "/old"));
    EXPECT_OK(write_at(ctx, "/new", 500, "x"));
    EXPECT_OK(write_at(ctx, "/new", 10 * 1024 + 500, "x"));
    const abi::stat s = *stat_path(ctx, "/new");
    EXPECT_EQ(s.ino, number);
    EXPECT_EQ(s.uid, 0);
    EXPECT_EQ(s.gid, 0);
    std::string expected(10 * 1024 + 501, '\0');
    expected[500] = expected[10 * 1024 + 500] = 'x';
    EXPECT_EQ(read_from(ctx, "/new"), expected);
    EXPECT_OK(write_to(user, "/old", pattern(9000)));
    EXPECT_OK(unlink_path(ctx, "/old"));
  });
  // The deleted file's 32 bytes on the disk, for a checker that looks at free inodes too.
  const auto* bytes = image.data() + 4 * BLOCK_SIZE + 2 * 32;
  for (u32 i = 0; i < 32; ++i) EXPECT_EQ(bytes[i], byte{}) << i;
}

// Damage is told, counted, and kept from being spread: umount sets ERROR and clears VALID.
struct damage {
  const char* what;
  void (*make)(std::span<byte> image, const layout& map);
  void (*use)(session& process);
};
const damage damages[] = {
    {"zone was free already",
     [](std::span<byte> image, const layout& map) { clear_bit(image, map.zmap(), 2); },
     [](session& p) { EXPECT_OK(p.unlink("/mnt/f")); }},
    {"freeing inode number",
     [](std::span<byte> image, const layout&) { clear_bit(image, 2 * BLOCK_SIZE, 2); },
     [](session& p) { EXPECT_OK(p.unlink("/mnt/f")); }},
    {"freeing a zone out of range",
     [](std::span<byte> image, const layout&) {
       const u16 zone = 0xFFF0;
       std::memcpy(image.data() + 4 * BLOCK_SIZE + 32 + 14, &zone, sizeof zone);
     },
     nullptr},
    {"inode in use was free",
     [](std::span<byte> image, const layout&) { clear_bit(image, 2 * BLOCK_SIZE, 2); },
     [](session& p) {
       const opened f(p.context(), "/mnt/f", abi::o_rdonly);
       EXPECT_OK(p.write("/mnt/new", "x"));
       EXPECT_NE(stat_path(p.context(), "/mnt/new")->ino, 2u);
     }}};

TEST(bitmaps, that_contradict_the_files_are_damage) {
  for (const damage& each : damages) {
    if (!each.use) continue;
    SCOPED_TRACE(each.what);
    std::vector<byte> image =
        on_minix({.blocks = 400}, [](fs_context& ctx) { EXPECT_OK(write_to(ctx, "/f", "x")); });
    each.make(image, layout(image));
    medium stick(image);
    run(1, [&] {
      session process(boot_with_root());
      plug_as(stick, sda);
      EXPECT_OK(process.mount());
      each.use(process);
      EXPECT_TRUE(said(each.what));
      EXPECT_OK(process.umount());
    });
    EXPECT_EQ(minix_image(stick.durable()).state() & 3, 2);
  }
}

}  // namespace
