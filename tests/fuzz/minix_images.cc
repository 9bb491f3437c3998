// MINIX file systems that are damaged in any way: mounted, walked, read, changed and unmounted.
#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "drivers/block/block_device.h"
#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_table.h"
#include "fs/buffer/invalidate.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/fs.h"
#include "fs/inode_table.h"
#include "fs/read_super.h"
#include "fs/sync.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/machine.h"
#include "tests/fuzz/targets.h"

namespace fuzz {

namespace {

constexpr dev_id dev(1, 0);
constexpr u32 image_blocks = 48;
using image = std::array<byte, image_blocks * BLOCK_SIZE>;

// A disk in memory; it refuses what is not its own.
class image_disk final : public block_device {
 public:
  explicit image_disk(std::span<byte> content) : content_(content) {
    identity.sectors = static_cast<u32>(content.size() / SECTOR_SIZE);
  }

 private:
  void request_fn() override {
    while (request* r = next_request()) {
      auto at = content_.begin() + static_cast<ptrdiff_t>(r->sector.value()) * SECTOR_SIZE;
      for (buffer_head& bh : r->buffers) {
        const std::span<byte> buffer(bh.b_data, BLOCK_SIZE);
        if (r->cmd == block_command::read)
          std::copy_n(at, BLOCK_SIZE, buffer.begin());
        else
          std::ranges::copy(buffer, at);
        at += BLOCK_SIZE;
      }
      end_request(*r, {});
    }
  }

  std::span<byte> content_;
};

const image& good_image() {
  static const image read = [] {
    image bytes{};
    std::FILE* file = std::fopen("tests/fuzz/minix.img", "rb");
    demand(file && std::fread(bytes.data(), bytes.size(), 1, file) == 1, "tests/fuzz/minix.img");
    std::fclose(file);
    return bytes;
  }();
  return read;
}

// The input is a row of edits of a good image: where (two bytes), how many bytes, the bytes. The
// first block is of no use to a file system, so places begin behind it.
void edit(image& bytes, input& in, u32 edits) {
  for (; edits > 0 && !in.ended(); --edits) {
    const size_t at = BLOCK_SIZE + in.number16() % (bytes.size() - BLOCK_SIZE);
    const auto change = in.take(1 + in.number() % 16);
    std::ranges::copy(change.first(std::min(change.size(), bytes.size() - at)),
                      bytes.begin() + static_cast<ptrdiff_t>(at));
  }
}

// A directory of a gigabyte takes long to be searched, and finds nothing else.
void shorten_directories(image& bytes) {
  constexpr size_t table = 4 * BLOCK_SIZE, inode_size = 32, size_at = 4;
  for (size_t at = table; at < table + BLOCK_SIZE; at += inode_size)
    if ((static_cast<u8>(bytes[at + 1]) & 0xf0) == abi::s_ifdir >> 8)
      bytes[at + size_at + 2] = bytes[at + size_at + 3] = byte{0};
}

struct name {
  std::array<char, 128> text{};
  std::string_view view() const { return text.data(); }
};

name join(std::string_view directory, std::string_view entry) {
  name path;
  std::snprintf(path.text.data(), path.text.size(), "%.*s/%.*s", static_cast<int>(directory.size()),
                directory.data(), static_cast<int>(entry.size()), entry.data());
  return path;
}

void read_file(fs_context& ctx, std::string_view path) {
  const auto opened = open_file(ctx, path, abi::o_rdonly, 0);
  if (!opened) return;
  std::array<byte, 3000> bytes;
  for (const i32 offset : {0, 6 * 1024, 519 * 1024, 700'000, 0x7fff'f000})
    if (seek_file(**opened, offset, abi::seek_set)) {
      const auto count = read_open_file(**opened, bytes);
      demand(!count || *count <= bytes.size(), "more bytes than were asked for");
    }
  static_cast<void>(stat_file(**opened));
  static_cast<void>(close_file(**opened));
}

void walk(fs_context& ctx, std::string_view path, u32 depth);

void visit_entries(fs_context& ctx, std::string_view path, std::span<const byte> records,
                   u32 depth) {
  for (size_t at = 0; at < records.size();) {
    const auto& entry = *reinterpret_cast<const abi::dirent*>(records.data() + at);
    demand(entry.record_length > 0 && at + entry.record_length <= records.size(),
           "a record that is too long");
    const std::string_view text(reinterpret_cast<const char*>(&entry) + abi::dirent_name_offset);
    if (text != "." && text != "..") walk(ctx, join(path, text).view(), depth + 1);
    at += entry.record_length;
  }
}

void walk(fs_context& ctx, std::string_view path, u32 depth) {
  const auto found = stat_path(ctx, path);
  if (!found || depth > 3) return;
  if ((found->mode & abi::s_ifmt) == abi::s_ifreg) return read_file(ctx, path);
  if ((found->mode & abi::s_ifmt) != abi::s_ifdir) return;
  const auto opened = open_file(ctx, path, abi::o_rdonly, 0);
  if (!opened) return;
  alignas(8) std::array<byte, 512> records;
  for (u32 calls = 0; calls < 4; ++calls) {
    const auto length = read_directory(**opened, records);
    if (!length || *length == 0) break;
    visit_entries(ctx, path, std::span(records).first(*length), depth);
  }
  static_cast<void>(close_file(**opened));
}

void write_file(fs_context& ctx, std::string_view path, i32 offset) {
  const auto opened = open_file(ctx, path, abi::o_rdwr | abi::o_creat, 0644);
  if (!opened) return;
  std::array<byte, 1500> bytes;
  bytes.fill(byte{0x5a});
  if (seek_file(**opened, offset, abi::seek_set))
    static_cast<void>(write_open_file(**opened, bytes));
  static_cast<void>(close_file(**opened));
}

void change_something(fs_context& ctx, u8 what) {
  static constexpr const char* paths[] = {"/a",   "/dir/b", "/big",     "/dir/sub/c",
                                          "/new", "/dir",   "/dir/sub", "/empty"};
  const char* const path = paths[what / 8 % 8];
  switch (what % 8) {
    case 0: return write_file(ctx, path, 0);
    case 1: return write_file(ctx, path, 8 * 1024);
    case 2: return static_cast<void>(truncate_path(ctx, path, 0));
    case 3: return static_cast<void>(unlink_path(ctx, path));
    case 4: return static_cast<void>(rename_path(ctx, path, "/dir/renamed"));
    case 5: return static_cast<void>(make_directory(ctx, path, 0755));
    case 6: return static_cast<void>(remove_directory(ctx, path));
    case 7: return static_cast<void>(link_path(ctx, path, "/linked"));
  }
}

void use_file_system(super_block& sb, input& in) {
  fs_context ctx;
  ctx.root = sb.s_isup.copy();
  ctx.pwd = sb.s_isup.copy();
  walk(ctx, "/", 0);
  for (u32 changes = 0; changes < 6 && !in.ended(); ++changes) change_something(ctx, in.number());
  static_cast<void>(statfs_path(ctx, "/"));
  walk(ctx, "/", 0);
}

void run(std::span<const byte> bytes) {
  input in(bytes);
  static image content;  // the machine keeps the disk
  static image_disk disk(content);
  content = good_image();
  const u8 how = in.number();
  edit(content, in, 1 + how % 16);
  shorten_directories(content);
  disk.write_protected = how & 0x80;
  set_ramdisk(disk);
  if (const auto mounted = read_super(dev, how & 0x40)) {
    (*mounted)->s_ready = true;
    use_file_system(**mounted, in);
    static_cast<void>(restore_state(**mounted));
    static_cast<void>(sync_dev(dev));
    put_super(**mounted);
  }
  discard_buffers(dev);
  const buffer_counts buffers = count_buffers();
  demand(inodes_in_use() == 0 && files_in_use() == 0, "inodes or files are left behind");
  demand(buffers.in_use == 0 && buffers.locked == 0, "buffers are left behind");
  demand(requests_in_use() == 0, "requests are left behind");
}

void begin() {
  buffer_init(48, find_buffer_policy(""));
  checkpoint::init(128);
}

}  // namespace

const target minix_images{"minix_images", begin, run};

}  // namespace fuzz
