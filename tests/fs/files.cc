#include "tests/fs/files.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sim {

std::string pattern(size_t size, u32 salt, size_t from) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    const u64 at = (from + i) / 4 * 2654435761u + salt * 40503u;
    text[i] = static_cast<char>('!' + (at >> (from + i) % 4 * 8 & 0xFF) % 90);
  }
  return text;
}

namespace {
std::span<const byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

result<void> write_all(const opened& f, std::string_view text) {
  while (!text.empty()) {
    const u32 done = TRY(f.write(text));
    if (done == 0) return fail(error::eio);
    text.remove_prefix(done);
  }
  return {};
}
}  // namespace

opened::opened(fs_context& ctx, std::string_view path, u32 flags, u16 mode) {
  const result<file*> f = open_file(ctx, path, flags, mode);
  EXPECT_TRUE(f) << path << ": error " << static_cast<int>(error_of(f));
  if (f) file_ = *f;
}

result<u32> opened::write(std::string_view text) const {
  return write_open_file(*file_, bytes_of(text));
}

result<std::string> opened::read(u32 size) const {
  std::string text(size, '\0');
  const u32 done = TRY(read_open_file(*file_, std::as_writable_bytes(std::span(text))));
  text.resize(done);
  return text;
}

result<void> opened::close() {
  if (!file_) return {};
  return close_file(*std::exchange(file_, nullptr));
}

namespace {
// Opens, calls `action`, closes; returns the first error.
template <class Action>
result<void> with_file(fs_context& ctx, std::string_view path, u32 flags, Action&& action) {
  file* open_one = TRY(open_file(ctx, path, flags, 0644));
  opened f(*open_one);
  TRY(action(f));
  return f.close();
}
}  // namespace

result<void> write_to(fs_context& ctx, std::string_view path, std::string_view text, u32 flags) {
  return with_file(ctx, path, flags | abi::o_wronly,
                   [&](const opened& f) { return write_all(f, text); });
}

result<void> write_at(fs_context& ctx, std::string_view path, u32 position, std::string_view text,
                      u32 flags) {
  return with_file(ctx, path, flags | abi::o_wronly, [&](const opened& f) -> result<void> {
    TRY(seek_file(*f, static_cast<i32>(position), abi::seek_set));
    return write_all(f, text);
  });
}

result<std::string> read_from(fs_context& ctx, std::string_view path) {
  std::string whole;
  const auto read_all = [&](const opened& f) -> result<void> {
    for (;;) {
      const std::string part = TRY(f.read(700));
      if (part.empty()) return {};
      whole += part;
    }
  };
  TRY(with_file(ctx, path, abi::o_rdonly, read_all));
  return whole;
}

result<std::vector<std::string>> names_in(fs_context& ctx, std::string_view path) {
  std::vector<std::string> names;
  const auto read_all = [&](const opened& f) -> result<void> {
    std::array<byte, 200> records;
    while (const u32 size = TRY(read_directory(*f, records)))
      for (u32 at = 0; at < size;) {
        abi::dirent head;
        std::memcpy(&head, records.data() + at, abi::dirent_name_offset);
        const char* name = reinterpret_cast<char*>(records.data()) + at + abi::dirent_name_offset;
        if (std::string_view(name) != "." && std::string_view(name) != "..") names.push_back(name);
        at += head.record_length;
      }
    return {};
  };
  TRY(with_file(ctx, path, abi::o_rdonly | abi::o_directory, read_all));
  std::ranges::sort(names);
  return names;
}

u32 free_blocks(fs_context& ctx) {
  const auto s = statfs_path(ctx, "/");
  return s ? s->bfree : 0;
}
u32 free_inodes(fs_context& ctx) {
  const auto s = statfs_path(ctx, "/");
  return s ? s->ffree : 0;
}

}  // namespace sim
