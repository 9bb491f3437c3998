// Each unwritten block is noted for the file that it belongs to, so that the console names the
// right files when blocks are missed or lost.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "fs/checkpoint/region.h"
#include "fs/checkpoint/volume.h"
#include "fs/minix_format.h"
#include "fs/sync.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;

u16 u16_at(std::span<const byte> image, size_t at) {
  u16 value;
  std::memcpy(&value, image.data() + at, sizeof value);
  return value;
}

// The image as it is with the shadows on it: which inode has which zone.
class ownership {
 public:
  explicit ownership(const medium& stick) : image_(stick.content()) {
    for (const checkpoint::slot& s : checkpoint::volume_of(sda)->set)
      std::ranges::copy(s.bytes(), image_.begin() + s.block.value() * BLOCK_SIZE);
    table_ = 2u + u16_at(image_, 1028) + u16_at(image_, 1030);
    first_data_ = u16_at(image_, 1032);
    for (u32 number = 1; number <= u16_at(image_, 1024); ++number) note_inode(number);
  }

  void check(const checkpoint::slot& s) const {
    const u32 block = s.block.value(), owner = s.owner.value();
    if (block < table_) {
      EXPECT_EQ(owner, 0u) << "block " << block << " is the file system's own";
    } else if (block < first_data_) {
      const u32 first = (block - table_) * 32 + 1;
      EXPECT_TRUE(first <= owner && owner < first + 32)
          << "inodes of block " << block << ": " << owner;
    } else if (const auto found = owner_of_.find(block); found != owner_of_.end()) {
      EXPECT_EQ(owner, found->second) << "block " << block;
    }
  }

 private:
  void note_inode(u32 number) {
    const size_t at = table_ * BLOCK_SIZE + (number - 1) * 32;
    const u16 type = u16_at(image_, at) & abi::s_ifmt;
    if (type != abi::s_ifreg && type != abi::s_ifdir) return;
    for (u32 i = 0; i < 9; ++i)
      note_zone(number, u16_at(image_, at + 14 + 2 * i), i < 7 ? 0 : i - 6);
  }
  void note_zone(u32 number, u32 zone, u32 depth) {
    if (zone == 0) return;
    owner_of_[zone] = number;
    for (u32 i = 0; depth > 0 && i < 512; ++i)
      note_zone(number, u16_at(image_, zone * BLOCK_SIZE + 2 * i), depth - 1);
  }

  std::vector<byte> image_;
  u32 table_ = 0, first_data_ = 0;
  std::map<u32, u32> owner_of_;
};

struct change {
  const char* name;
  result<void> (*make)(session& p);
};
const change changes[] = {
    {"creat", [](session& p) { return p.write("/mnt/new", ""); }},
    {"mkdir", [](session& p) { return p.mkdir("/mnt/newdir"); }},
    {"write", [](session& p) { return p.write("/mnt/other", pattern(3000)); }},
    {"write far", [](session& p) { return p.write_at("/mnt/file", 700'000, "far"); }},
    {"overwrite", [](session& p) { return p.write_at("/mnt/file", 100, "inside"); }},
    {"overwrite blocks", [](session& p) { return p.write_at("/mnt/file", 1024, pattern(2048)); }},
    {"append", [](session& p) { return p.append("/mnt/file", pattern(20'000, 3)); }},
    {"cut", [](session& p) { return p.truncate("/mnt/file", 15'500); }},
    {"cut the tail", [](session& p) { return p.truncate("/mnt/file", 15'400); }},
    {"link", [](session& p) { return p.link("/mnt/file", "/mnt/dir/also"); }},
    {"unlink", [](session& p) { return p.unlink("/mnt/dir/also"); }},
    {"rename", [](session& p) { return p.rename("/mnt/dir/sub", "/mnt/sub"); }},
    {"chmod", [](session& p) { return chmod_path(p.context(), "/mnt/file", 0600); }},
    {"remove", [](session& p) { return p.unlink("/mnt/file"); }},
};

TEST(owners, of_unwritten_blocks) {
  medium stick(mkfs_minix(400, 96));
  run(1, [&] {
    session p(boot_with_root({.buffers = 256, .slots = 512}));
    plug_as(stick, sda);
    EXPECT_OK(p.mount());
    for (const char* directory : {"/mnt/dir", "/mnt/dir/sub"}) EXPECT_OK(p.mkdir(directory));
    for (u32 i = 0; i < 33; ++i) EXPECT_OK(p.write("/mnt/dir/f" + std::to_string(i), ""));
    EXPECT_OK(p.write("/mnt/file", pattern(30'000)));
    for (const change& each : changes) {
      SCOPED_TRACE(each.name);
      EXPECT_OK(sys_sync());
      EXPECT_OK(each.make(p));
      const ownership owners(stick);
      u32 seen = 0;
      for (const checkpoint::slot& s : checkpoint::volume_of(sda)->set) {
        owners.check(s);
        ++seen;
      }
      EXPECT_GT(seen, 0u);
      for (const checkpoint::file_note& file : checkpoint::volume_of(sda)->files.all())
        EXPECT_TRUE(std::string_view(file.path.data()).starts_with("/mnt"))
            << "inode " << file.inode.value() << " is noted as \"" << file.path.data() << "\"";
    }
    EXPECT_OK(p.write_at("/dev/sda", 390 * 1024, "raw"));
    EXPECT_OK(p.write_at("/dev/sda", 391 * 1024, pattern(1024)));
    EXPECT_OK(p.umount());
  });
}

}  // namespace
