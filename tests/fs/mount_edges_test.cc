// Which superblocks are accepted, to the one; mounts and umounts that fail leave things as they
// were.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fs/sync.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

constexpr u32 ninodes = 0, nzones = 2, first_data = 8;

void put_super(std::vector<byte>& image, u32 offset, u32 value) {
  const u16 stored = static_cast<u16>(value);
  std::memcpy(image.data() + 1024 + offset, &stored, sizeof stored);
}
u32 get_super(const std::vector<byte>& image, u32 offset) {
  u16 stored;
  std::memcpy(&stored, image.data() + 1024 + offset, sizeof stored);
  return stored;
}

error outcome_of_mount(const std::vector<byte>& image) {
  medium stick(image);
  error outcome{};
  run(1, [&] {
    session process(boot_with_root({.buffers = 128}));
    plug_as(stick, sda);
    outcome = error_of(mount_path(process.context(), "/dev/sda", "/mnt", abi::ms_rdonly));
    if (outcome == error{}) EXPECT_OK(process.umount());
  });
  return outcome;
}

TEST(mount_edges, the_inode_map_must_hold_every_inode) {
  std::vector<byte> image = mkfs_minix(2'000, 8'160);
  put_super(image, first_data, get_super(image, first_data) + 1);
  put_super(image, ninodes, 8'191);
  EXPECT_EQ(outcome_of_mount(image), error{}) << "8192 bits with bit 0: one block";
  put_super(image, ninodes, 8'192);
  EXPECT_EQ(outcome_of_mount(image), error::einval);
}

TEST(mount_edges, the_zone_map_must_hold_every_zone) {
  std::vector<byte> image = mkfs_minix(8'000);
  image.resize(9'000 * BLOCK_SIZE);
  const u32 first = get_super(image, first_data);
  put_super(image, nzones, first + 8'191);
  EXPECT_EQ(outcome_of_mount(image), error{});
  put_super(image, nzones, first + 8'192);
  EXPECT_EQ(outcome_of_mount(image), error::einval);
}

TEST(mount_edges, the_zones_must_fit_on_the_device) {
  std::vector<byte> image = mkfs_minix(400);
  EXPECT_EQ(outcome_of_mount(image), error{});
  image.resize(399 * BLOCK_SIZE + 512);
  EXPECT_EQ(outcome_of_mount(image), error::einval) << "half a block is none";
  image.resize(1 * BLOCK_SIZE);
  EXPECT_EQ(outcome_of_mount(image), error::einval);
}

TEST(mount_edges, the_inode_table_ends_where_the_data_begin) {
  std::vector<byte> image = mkfs_minix(400, 64);
  const u32 first = get_super(image, first_data);
  put_super(image, ninodes, 65);
  EXPECT_EQ(outcome_of_mount(image), error::einval) << "it needs a third block";
  put_super(image, ninodes, 64);
  put_super(image, first_data, first - 1);
  EXPECT_EQ(outcome_of_mount(image), error::einval);
  put_super(image, first_data, 399);
  EXPECT_EQ(outcome_of_mount(image), error{});
  put_super(image, first_data, 400);
  EXPECT_EQ(outcome_of_mount(image), error::einval);
}

// The root inode: a directory with its first two entries.
TEST(mount_edges, the_root_must_be_a_directory) {
  const std::vector<byte> good = mkfs_minix(400, 64, 30);
  struct change {
    u32 offset;
    u32 value;
  };
  const size_t root = 4 * BLOCK_SIZE;
  for (const auto& [offset, value] :
       {change{0, abi::s_ifreg | 0755}, change{4, 63}, change{4, 0}, change{0, 0}, change{12, 0}}) {
    std::vector<byte> image = good;
    const u16 stored = static_cast<u16>(value);
    std::memcpy(image.data() + root + offset, &stored, sizeof stored);
    EXPECT_EQ(outcome_of_mount(image), error::einval) << offset << " is " << value;
  }
  EXPECT_EQ(outcome_of_mount(good), error{});
}

// The second sector of the superblock's block is the stamp's.
std::vector<byte> without_stamp(std::span<const byte> medium) {
  std::vector<byte> content(medium.begin(), medium.end());
  std::fill_n(content.begin() + BLOCK_SIZE + SECTOR_SIZE, SECTOR_SIZE, byte{0});
  return content;
}

TEST(mount_edges, a_mount_that_fails_changes_nothing_but_the_stamp) {
  medium stick(mkfs_minix(400));
  const std::vector<byte> before(stick.durable().begin(), stick.durable().end());
  run(1, [&] {
    session process(boot_with_root());
    plug_as(stick, sda);
    EXPECT_ERROR(error::ebusy, process.mount("/dev/sda", "/"));
    EXPECT_ERROR(error::enotdir, process.mount("/dev/sda", "/dev/sdb"));
    EXPECT_ERROR(error::enoent, process.mount("/dev/sda", "/nowhere"));
    EXPECT_OK(sys_sync());
    EXPECT_EQ(without_stamp(stick.content()), before);
    EXPECT_OK(process.mount());
    EXPECT_OK(process.umount());
  });
  EXPECT_EQ(without_stamp(stick.durable()), before);
}

// Until the umount has succeeded, the medium never says VALID.
TEST(mount_edges, an_umount_that_fails_leaves_it_mounted) {
  for (const block_command failing : {block_command::write, block_command::flush})
    for (u32 nth = 1; nth <= 4; ++nth) {
      medium stick(mkfs_minix(400));
      bool met = false;
      run(1, [&] {
        session process(boot_with_root());
        plug_as(stick, sda);
        EXPECT_OK(process.mount());
        EXPECT_OK(process.write("/mnt/f", "text"));
        u32 seen = 0;
        stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
          if (cmd != failing || ++seen != nth) return {};
          met = true;
          return error::eio;
        };
        const result<void> gone = process.umount();
        stick.fault = nullptr;
        if (gone) return;
        EXPECT_ERROR(error::eio, gone);
        EXPECT_EQ(process.read("/mnt/f"), "text");
        static_cast<void>(sys_sync());  // tells once what has failed
        EXPECT_OK(process.write("/mnt/g", "more"));
        EXPECT_OK(sys_sync());
        EXPECT_EQ(minix_image(stick.durable()).state() & 1, 0) << "in use";
        EXPECT_OK(process.umount());
      });
      EXPECT_TRUE(met || nth > 2);
      judge(stick.durable());
    }
}

}  // namespace
