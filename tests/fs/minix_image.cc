#include "tests/fs/minix_image.h"

#include <unistd.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace sim {
namespace {

constexpr size_t block_size = 1024;
constexpr u16 mode_directory = 0040000, mode_regular = 0100000, mode_format = 0170000;
constexpr u32 direct_zones = 7;
constexpr u32 root_inode = 1;

// --- the host's own tools ---

// A file of the host that removes itself.
class temporary_file {
 public:
  temporary_file() {
    std::strcpy(path_.data(), "/tmp/replug_image_XXXXXX");
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0) std::abort();
    close(descriptor);
  }
  ~temporary_file() { std::remove(path_.data()); }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;

  std::string path() const { return path_.data(); }
  void write(std::span<const byte> bytes) const {
    std::ofstream out(path(), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  std::vector<byte> read() const {
    std::ifstream in(path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto* first = reinterpret_cast<const byte*>(text.data());
    return {first, first + text.size()};
  }

 private:
  std::array<char, 32> path_{};
};

struct tool_outcome {
  int status;
  std::string output;
};

tool_outcome run_tool(const std::string& command) {
  const std::string line = "PATH=$PATH:/usr/sbin:/sbin " + command + " 2>&1";
  FILE* pipe = popen(line.c_str(), "r");
  if (!pipe) std::abort();
  std::string output;
  std::array<char, 256> part;
  while (std::fgets(part.data(), part.size(), pipe)) output += part.data();
  return {pclose(pipe), output};
}

}  // namespace

std::vector<byte> mkfs_minix(u32 blocks, u32 inodes, u32 name_length) {
  static std::map<std::array<u32, 3>, std::vector<byte>> made;
  std::vector<byte>& image = made[{blocks, inodes, name_length}];
  if (!image.empty()) return image;
  const temporary_file file;
  file.write(std::vector<byte>(blocks * block_size));
  const tool_outcome outcome = run_tool("mkfs.minix -1 -n " + std::to_string(name_length) + " -i " +
                                        std::to_string(inodes) + " " + file.path());
  if (outcome.status != 0) {
    std::fprintf(stderr, "mkfs.minix: %s\n", outcome.output.c_str());
    std::abort();
  }
  return image = file.read();
}

// Its exit status is not enough: it is 0 for a wrong mode and wrong counts too. Any line but the
// announcement is a complaint.
std::string fsck_minix(std::span<const byte> image) {
  const temporary_file file;
  file.write(image);
  const tool_outcome outcome = run_tool("fsck.minix -f -m " + file.path());
  std::string complaints;
  std::string line;
  for (char c : outcome.output) {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (!line.empty() && !line.starts_with("Forcing filesystem check")) complaints += line + "\n";
    line.clear();
  }
  if (outcome.status != 0) complaints += "exit status " + std::to_string(outcome.status) + "\n";
  return complaints;
}

// --- reading ---

minix_image::minix_image(std::span<const byte> image) : bytes_(image) {
  if (!read_superblock()) {
    problem("the superblock makes no sense");
    return;
  }
  walk(root_inode, root_inode, "");
  check_links();
  check_bitmaps();
}

std::string minix_image::problem_text() const {
  std::string text;
  for (const std::string& each : problems_) text += each + "\n";
  return text;
}

u16 minix_image::u16_at(size_t offset) const {
  u16 value;
  std::memcpy(&value, bytes_.data() + offset, sizeof value);
  return value;
}

u32 minix_image::u32_at(size_t offset) const {
  u32 value;
  std::memcpy(&value, bytes_.data() + offset, sizeof value);
  return value;
}

bool minix_image::bit(size_t map_block, u32 number) const {
  const auto at = static_cast<u8>(bytes_[map_block * block_size + number / 8]);
  return at >> number % 8 & 1;
}

bool minix_image::read_superblock() {
  if (bytes_.size() < 2 * block_size) return false;
  inodes_ = u16_at(1024);
  zones_ = u16_at(1024 + 2);
  imap_blocks_ = u16_at(1024 + 4);
  zmap_blocks_ = u16_at(1024 + 6);
  first_data_zone_ = u16_at(1024 + 8);
  const u16 magic = u16_at(1024 + 16);
  name_length_ = magic == 0x137F ? 14 : magic == 0x138F ? 30 : 0;
  const size_t table_end = 2 + imap_blocks_ + zmap_blocks_ + (inodes_ + 31) / 32;
  return name_length_ != 0 && table_end <= first_data_zone_ && first_data_zone_ < zones_ &&
         zones_ * block_size <= bytes_.size();
}

size_t minix_image::inode_offset(u32 number) const {
  return (2 + imap_blocks_ + zmap_blocks_) * block_size + (number - 1) * 32;
}

minix_image::raw_inode minix_image::read_inode(u32 number) {
  const size_t at = inode_offset(number);
  raw_inode inode{u16_at(at), u32_at(at + 4), static_cast<u8>(bytes_[at + 13]), {}, {}};
  const u16 type = inode.mode & mode_format;
  if (type != mode_directory && type != mode_regular) return inode;  // a device has no zones
  const u32 wanted = static_cast<u32>((inode.size + block_size - 1) / block_size);
  for (u32 i = 0; i < direct_zones + 2; ++i)
    collect_zones(inode, u16_at(at + 14 + 2 * i),
                  i < direct_zones    ? 0
                  : i == direct_zones ? 1
                                      : 2,
                  wanted);
  while (!inode.zones.empty() && inode.zones.size() > wanted) {
    if (inode.zones.back() != 0)
      problem("inode " + std::to_string(number) + " has zones behind its end");
    inode.zones.pop_back();
  }
  return inode;
}

// The data zones below `zone`, in order; where the tree is missing, as many zeros as are wanted.
void minix_image::collect_zones(raw_inode& inode, u32 zone, int depth, u32 wanted) {
  if (zone != 0 && !usable_zone(zone)) {
    problem("zone number " + std::to_string(zone) + " is out of range");
    zone = 0;
  }
  if (depth == 0) return inode.zones.push_back(zone);
  if (zone == 0) {
    for (u32 n = depth == 1 ? 512u : 512u * 512u; n > 0 && inode.zones.size() < wanted; --n)
      inode.zones.push_back(0);
    return;
  }
  inode.indirect.push_back(zone);
  for (u32 i = 0; i < 512; ++i)
    collect_zones(inode, u16_at(zone * block_size + 2 * i), depth - 1, wanted);
}

void minix_image::use_zones(u32 number, const raw_inode& inode) {
  for (const auto* list : {&inode.zones, &inode.indirect})
    for (u32 zone : *list) {
      if (zone == 0) continue;
      const auto [user, fresh] = zone_users_.emplace(zone, number);
      if (!fresh)
        problem("zone " + std::to_string(zone) + " is used by inodes " +
                std::to_string(user->second) + " and " + std::to_string(number));
    }
}

std::string minix_image::read_content(const raw_inode& inode) const {
  std::string content;
  for (u32 zone : inode.zones) {
    if (zone == 0)
      content.append(block_size, '\0');
    else
      content.append(reinterpret_cast<const char*>(bytes_.data()) + zone * block_size, block_size);
  }
  content.resize(inode.size);
  return content;
}

// --- the tree ---

void minix_image::walk(u32 number, u32 parent, const std::string& path) {
  const raw_inode inode = read_inode(number);
  use_zones(number, inode);
  links_stored_[number] = inode.links;
  const bool directory = (inode.mode & mode_format) == mode_directory;
  if (!path.empty()) files_[path] = {number, directory, inode.links, {}};
  if (!directory) {
    if ((inode.mode & mode_format) == mode_regular) files_[path].content = read_content(inode);
    return;
  }
  const std::string content = read_content(inode);
  const size_t entry = name_length_ + 2;
  std::map<std::string, u32> names;
  for (size_t at = 0; at + entry <= content.size(); at += entry) {
    u16 child;
    std::memcpy(&child, content.data() + at, 2);
    if (child == 0) continue;
    const std::string name(content.data() + at + 2, strnlen(content.data() + at + 2, name_length_));
    if (!names.emplace(name, child).second) problem(path + "/" + name + " is there twice");
  }
  if (names["."] != number) problem(path + "/. is wrong");
  if (names[".."] != parent) problem(path + "/.. is wrong");
  for (const auto& [name, child] : names) walk_entry(child, number, name, path);
}

void minix_image::walk_entry(u32 child, u32 parent, const std::string& name,
                             const std::string& path) {
  if (child == 0) return;
  if (child > inodes_) return problem(path + "/" + name + " names no inode");
  ++links_found_[child];
  if (name == "." || name == "..") return;
  const std::string child_path = path + "/" + name;
  if (!links_stored_.contains(child)) return walk(child, parent, child_path);
  // One more name of a file; a second name of a directory shows in its link count.
  for (const auto& [other, file] : files_)
    if (file.inode == child) {
      files_[child_path] = image_file(file);
      return;
    }
}

void minix_image::check_links() {
  for (const auto& [number, stored] : links_stored_)
    if (links_found_[number] != stored)
      problem("inode " + std::to_string(number) + " has " + std::to_string(links_found_[number]) +
              " names and says " + std::to_string(stored));
}

void minix_image::check_bitmaps() {
  for (u32 number = 1; number <= inodes_; ++number)
    if (bit(2, number) != links_stored_.contains(number))
      problem("inode " + std::to_string(number) +
              (bit(2, number) ? " is marked and unused" : " is used and not marked"));
  for (u32 zone = first_data_zone_; zone < zones_; ++zone) {
    const bool marked = bit(2 + imap_blocks_, zone - first_data_zone_ + 1);
    if (marked != zone_users_.contains(zone))
      problem("zone " + std::to_string(zone) +
              (marked ? " is marked and unused" : " is used and not marked"));
  }
}

}  // namespace sim
