// The bytes of a MINIX v1 file system, read and judged without any of the kernel's code: the tests
// judge a medium by this.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lib/types.h"

namespace sim {

// An empty file system of `blocks` blocks made by mkfs.minix; the same bytes each time.
std::vector<byte> mkfs_minix(u32 blocks, u32 inodes = 64, u32 name_length = 30);

// What fsck.minix -f says of these bytes: empty when it has no complaint.
std::string fsck_minix(std::span<const byte> image);

struct image_file {
  u32 inode = 0;
  bool directory = false;
  u32 links = 0;
  std::string content;  // of a regular file
};

class minix_image {
 public:
  // Walks the tree from the root and notes every file and every problem. A file system whose
  // superblock makes no sense has no files and one problem.
  explicit minix_image(std::span<const byte> image);

  // By path: "/a", "/d/b". The root is not among them.
  const std::map<std::string, image_file>& files() const { return files_; }
  bool has(const std::string& path) const { return files_.contains(path); }
  // Everything that is not as it must be between operations: links, bits, zones, the entries . and
  // ..
  const std::vector<std::string>& problems() const { return problems_; }
  std::string problem_text() const;
  u16 state() const { return u16_at(1024 + 18); }

 private:
  struct raw_inode {
    u16 mode;
    u32 size;
    u32 links;
    std::vector<u32> zones;  // of the data, 0 for a hole, up to the size
    std::vector<u32> indirect;
  };

  u16 u16_at(size_t offset) const;
  u32 u32_at(size_t offset) const;
  bool bit(size_t map_block, u32 number) const;
  bool read_superblock();
  size_t inode_offset(u32 number) const;
  bool usable_zone(u32 zone) const { return zone >= first_data_zone_ && zone < zones_; }
  raw_inode read_inode(u32 number);
  void collect_zones(raw_inode& inode, u32 zone, int depth, u32 wanted);
  void use_zones(u32 number, const raw_inode& inode);
  std::string read_content(const raw_inode& inode) const;
  void walk(u32 number, u32 parent, const std::string& path);
  void walk_entry(u32 child, u32 parent, const std::string& name, const std::string& path);
  void check_links();
  void check_bitmaps();
  void problem(const std::string& text) { problems_.push_back(text); }

  std::span<const byte> bytes_;
  u32 inodes_ = 0, zones_ = 0, imap_blocks_ = 0, zmap_blocks_ = 0, first_data_zone_ = 0;
  u32 name_length_ = 0;
  std::map<std::string, image_file> files_;
  std::map<u32, u32> links_found_;   // inode → directory entries that name it
  std::map<u32, u32> links_stored_;  // inode → nlinks
  std::map<u32, u32> zone_users_;    // zone → inode
  std::vector<std::string> problems_;
};

}  // namespace sim
