// Disks that lie: whatever stands on a disk, the kernel must not stop, and must not read or write
// where it has no right to. The sanitizers and a panic are the judges; what the calls return does
// not matter.
#include <gtest/gtest.h>

#include <cstring>

#include "fs/buffer/buffer_table.h"
#include "fs/minix_format.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/settled.h"

using namespace sim;

namespace {

// A file system with a file of every kind.
const std::vector<byte>& furnished(u32 name_length) {
  static std::map<u32, std::vector<byte>> made;
  std::vector<byte>& image = made[name_length];
  if (image.empty())
    image =
        on_minix({.blocks = 1500, .inodes = 64, .name_length = name_length}, [](fs_context& ctx) {
          EXPECT_OK(make_directory(ctx, "/a", 0755));
          EXPECT_OK(make_directory(ctx, "/a/b", 0755));
          EXPECT_OK(make_directory(ctx, "/a/b/c", 0755));
          EXPECT_OK(write_to(ctx, "/a/small", pattern(2000)));
          EXPECT_OK(write_to(ctx, "/a/b/middle", pattern(40'000)));
          EXPECT_OK(write_to(ctx, "/a/b/c/big", pattern(600'000)));
          EXPECT_OK(link_path(ctx, "/a/small", "/a/b/c/second"));
          EXPECT_OK(make_node(ctx, "/a/node", abi::s_ifblk | 0600, dev_id(8, 0)));
        });
  return image;
}

// Where the parts of such an image stand, in bytes.
struct layout {
  explicit layout(std::span<const byte> image) {
    d_super_block sb;
    std::memcpy(&sb, image.data() + BLOCK_SIZE, sizeof sb);
    bitmaps = 2 * BLOCK_SIZE;
    inodes = bitmaps + u32{sb.s_imap_blocks + u32{sb.s_zmap_blocks}} * BLOCK_SIZE;
    data = sb.s_firstdatazone * BLOCK_SIZE;
    end = static_cast<u32>(image.size());
  }
  u32 bitmaps, inodes, data, end;
};

void put_u16(std::vector<byte>& image, size_t at, u16 value) {
  std::memcpy(image.data() + at, &value, sizeof value);
}

// Values that find more bugs than random ones.
u16 nasty_value(std::mt19937_64& random) {
  constexpr u16 values[] = {0, 1, 2, 3, 64, 65, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1499, 1500};
  return random() % 3 ? values[random() % std::size(values)] : static_cast<u16>(random());
}

// Changes a few places in [from, to).
void corrupt(std::vector<byte>& image, std::mt19937_64& random, u32 from, u32 to, u32 places) {
  for (u32 i = 0; i < places; ++i) {
    const size_t at = from + random() % ((to - from) / 2) * 2;
    put_u16(image, at, nasty_value(random));
  }
}

// Every call that a user may make; each may fail. Names come from the disk.
void use_directory(fs_context& ctx, const std::string& path, u32 depth) {
  const auto names = names_in(ctx, path);
  if (!names) return;
  u32 count = 0;
  for (const std::string& name : *names) {
    if (++count > 20) break;
    const std::string child = (path == "/" ? "" : path) + "/" + name;
    const auto s = stat_path(ctx, child);
    if (!s) continue;
    if ((s->mode & abi::s_ifmt) == abi::s_ifdir && depth < 5) use_directory(ctx, child, depth + 1);
    if ((s->mode & abi::s_ifmt) != abi::s_ifreg) continue;
    if (s->size < 2'000'000) static_cast<void>(read_from(ctx, child));
    static_cast<void>(write_at(ctx, child, 5000, "some text"));
    static_cast<void>(write_at(ctx, child, 600'000, pattern(3000)));
    static_cast<void>(truncate_path(ctx, child, 1500));
  }
  static_cast<void>(make_directory(ctx, path + "/newdir", 0755));
  static_cast<void>(write_to(ctx, path + "/newfile", pattern(20'000)));
  static_cast<void>(link_path(ctx, path + "/newfile", path + "/newlink"));
  static_cast<void>(rename_path(ctx, path + "/newfile", path + "/newdir/moved"));
  static_cast<void>(rename_path(ctx, path + "/newdir", "/a/b"));
  static_cast<void>(rename_path(ctx, "/a/b", path + "/there"));
}

void empty_directory(fs_context& ctx, const std::string& path, u32 depth) {
  const auto names = names_in(ctx, path);
  if (!names) return;
  for (const std::string& name : *names) {
    const std::string child = (path == "/" ? "" : path) + "/" + name;
    if (unlink_path(ctx, child)) continue;
    if (depth < 5) empty_directory(ctx, child, depth + 1);
    static_cast<void>(remove_directory(ctx, child));
  }
}

// Mounts the image as root and uses it; by several processes at once.
void live_with(std::vector<byte> image, u64 seed) {
  medium stick(std::move(image));
  const damaged_disks lie;
  world machine({.seed = seed});
  machine.run([&] {
    boot({.buffers = 64});
    fs_init();
    plug_as(stick, sda);
    {
      result<fs_context> ctx = mount_root(sda);
      if (!ctx) return;
      in_parallel(2, [&](u32 index) {
        fs_context mine = ctx->copy();
        use_directory(mine, "/", 0);
        if (index == 0) empty_directory(mine, "/", 0);
        std::array<char, 200> name;
        if (change_directory(mine, "/a/b/c")) static_cast<void>(current_directory(mine, name));
        static_cast<void>(statfs_path(mine, "/"));
      });
      check_buffer_invariants();
    }
    umount_all();
    EXPECT_EQ(count_buffers().in_use, 0u) << "a buffer was not given back";
  });
}

enum class part { superblock, bitmaps, inodes, directories, indirect, everything };

class Hostile : public testing::TestWithParam<part> {};
INSTANTIATE_TEST_SUITE_P(Parts, Hostile,
                         testing::Values(part::superblock, part::bitmaps, part::inodes,
                                         part::directories, part::indirect, part::everything));

// Where the inode of the file of this size stands.
struct inode_place {
  size_t offset = 0;
  d_inode inode{};
};
inode_place place_of(std::span<const byte> image, u32 size) {
  const layout at(image);
  inode_place place{.offset = at.inodes};
  for (; place.offset < at.data; place.offset += sizeof(d_inode)) {
    std::memcpy(&place.inode, image.data() + place.offset, sizeof(d_inode));
    if (place.inode.i_size == size) break;
  }
  return place;
}

// The data zones whose bytes are entries, or zone numbers.
std::vector<u32> zones_of_kind(std::span<const byte> image, const layout& at, bool directories) {
  std::vector<u32> zones;
  for (u32 offset = at.inodes; offset + sizeof(d_inode) <= at.data; offset += sizeof(d_inode)) {
    d_inode inode;
    std::memcpy(&inode, image.data() + offset, sizeof inode);
    const bool is_dir = (inode.i_mode & abi::s_ifmt) == abi::s_ifdir;
    const bool is_file = (inode.i_mode & abi::s_ifmt) == abi::s_ifreg;
    if (is_dir && directories) zones.push_back(inode.i_zone[0]);
    if (is_file && !directories && inode.i_zone[7]) zones.push_back(inode.i_zone[7]);
    if (is_file && !directories && inode.i_zone[8]) zones.push_back(inode.i_zone[8]);
  }
  return zones;
}

void corrupt_part(std::vector<byte>& image, std::mt19937_64& random, part which) {
  const layout at(image);
  const u32 places = static_cast<u32>(1 + random() % 8);
  switch (which) {
    case part::superblock:
      return corrupt(image, random, BLOCK_SIZE, BLOCK_SIZE + 24, 1 + places / 3);
    case part::bitmaps: return corrupt(image, random, at.bitmaps, at.bitmaps + 64, places);
    case part::inodes: return corrupt(image, random, at.inodes, at.inodes + 12 * 32, places);
    case part::directories:
    case part::indirect: {
      const auto zones = zones_of_kind(image, at, which == part::directories);
      const u32 zone = zones[random() % zones.size()] * BLOCK_SIZE;
      return corrupt(image, random, zone, zone + (which == part::directories ? 192 : BLOCK_SIZE),
                     places);
    }
    case part::everything:
      for (part each : {part::directories, part::indirect, part::bitmaps, part::inodes})
        corrupt_part(image, random, each);
  }
}

TEST_P(Hostile, DisksDoNoHarm) {
  for_each_seed(80, [](u64 seed) {
    std::mt19937_64 random(seed);
    std::vector<byte> image = furnished(seed % 2 ? 14 : 30);
    corrupt_part(image, random, GetParam());
    live_with(std::move(image), seed);
  });
}

// Zone numbers that point to what belongs to no file: the superblock, a bitmap, a place past the
// end. A read must not show it, a write must not destroy it.
void expect_zone_refused(std::vector<byte> image, const std::string& path, u32 position) {
  const std::vector<byte> before = image;
  medium stick(std::move(image));
  run(1, [&] {
    boot();
    fs_init();
    plug_as(stick, sda);
    {
      result<fs_context> ctx = mount_root(sda);
      ASSERT_TRUE(ctx);
      opened f(*ctx, path, abi::o_rdwr);
      ASSERT_TRUE(seek_file(*f, static_cast<i32>(position), abi::seek_set));
      EXPECT_ERROR(error::eio, f.read(10));
      EXPECT_ERROR(error::eio, f.write("overwritten"));
    }
    umount_all();
  });
  const layout at(before);
  const auto middle = [&](std::span<const byte> bytes) {
    return bytes.subspan(at.bitmaps, at.inodes - at.bitmaps);
  };
  EXPECT_TRUE(std::ranges::equal(middle(stick.durable()), middle(before)));
}

TEST(HostileDisk, WhoseZonesBelongToNoFile) {
  for (u16 zone : {u16{2}, u16{1500}, u16{0xFFFF}}) {
    std::vector<byte> image = furnished(30);
    const inode_place small = place_of(image, 2000), middle = place_of(image, 40'000);
    std::vector<byte> direct = image, indirect = image;
    put_u16(direct, small.offset + offsetof(d_inode, i_zone), zone);
    expect_zone_refused(direct, "/a/small", 0);
    put_u16(indirect, size_t{middle.inode.i_zone[7]} * BLOCK_SIZE, zone);
    expect_zone_refused(indirect, "/a/b/middle", 7 * BLOCK_SIZE);
  }
}

TEST(HostileDisk, OfPureNoise) {
  for_each_seed(20, [](u64 seed) {
    std::mt19937_64 random(seed);
    std::vector<byte> image = furnished(30);
    const layout at(image);
    for (u32 i = at.inodes; i < at.data; ++i) image[i] = static_cast<byte>(random());
    const u16 directory = abi::s_ifdir | 0755;
    put_u16(image, at.inodes, directory);
    live_with(std::move(image), seed);
  });
}

// A directory that holds itself and its parent under other names, and a ring of "..".
TEST(HostileDisk, WithDirectoriesInARing) {
  std::vector<byte> image = furnished(30);
  const layout at(image);
  for (u32 zone : zones_of_kind(image, at, true))
    for (u32 entry = 2; entry < 4; ++entry)
      put_u16(image, zone * BLOCK_SIZE + entry * 32, static_cast<u16>(entry));
  live_with(image, 1);
  for (u32 zone : zones_of_kind(image, at, true))
    put_u16(image, zone * BLOCK_SIZE + 32, 4);  // ".." is always the same one
  live_with(image, 2);
}

}  // namespace
