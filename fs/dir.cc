// Entries of directories (find_entry and add_entry of the book's namei.c).
#include "fs/dir.h"

#include <algorithm>
#include <cstring>

#include "fs/bitmap.h"
#include "fs/super.h"
#include "hal/clock.h"

namespace {

// An entry as the bytes that are stored on the disk.
struct raw_entry {
  raw_entry(const m_inode& dir, std::string_view name, ino_nr inode)
      : size(super_of(dir).entry_size()) {
    *reinterpret_cast<le16*>(bytes.data()) = inode.value();
    std::memcpy(bytes.data() + sizeof(le16), name.data(), name.size());
  }
  std::span<const byte> span() const { return {bytes.data(), size}; }

  std::array<byte, DIR_ENTRY_MAX> bytes{};
  u32 size;
};

// The directory was changed now.
void touch(m_inode& dir) {
  dir.i_mtime = current_time();
  dir.i_dirt = true;
}

result<void> write_entry(operation& op, m_inode& dir, block_nr block, u32 offset,
                         const raw_entry& entry) {
  buffer_ref buffer = TRY(bread(dir.i_dev, block));
  op.about(dir.i_num, dir.i_path);
  TRY(buffer.modify(op, offset, entry.size,
                    [&](std::span<byte> to) { std::ranges::copy(entry.span(), to.begin()); }));
  touch(dir);
  return {};
}

// Adds an entry behind the last one; allocates a block if the last one is full.
result<void> append_entry(operation& op, m_inode& dir, const raw_entry& entry) {
  const u32 position = dir.i_size - dir.i_size % entry.size;
  if (position + entry.size > MAX_FILE_SIZE) return fail(error::efbig);
  const u32 offset = position % BLOCK_SIZE;
  const created_block at =
      TRY(create_block(op, dir, position / BLOCK_SIZE, {offset, entry.span()}));
  if (!at.fresh) TRY(write_entry(op, dir, at.number, offset, entry));
  dir.i_size = position + entry.size;
  touch(dir);
  return {};
}

}  // namespace

result<void> check_name(const m_inode& dir, std::string_view name) {
  if (name.empty()) return fail(error::enoent);
  if (name.size() > super_of(dir).name_length()) return fail(error::enametoolong);
  return {};
}

// A search begins at the position where the last one succeeded, goes on to the end, and then from
// the start to that position. So looking up the names in the order of the directory, or one name
// twice, does not scan the directory from its start each time (4.3BSD's i_diroff).
result<dir_record> find_entry(m_inode& dir, std::string_view name) {
  TRY(check_name(dir, name));
  std::optional<dir_record> found;
  const auto visit = [&](const visited_entry& entry) {
    if (entry.inode() == ino_nr{} || !entry.is_named(name)) return false;
    found = entry.record();
    return true;
  };
  const u32 start = dir.i_diroff;
  TRY(scan_directory(dir, start, visit));
  if (!found) TRY(scan_directory(dir, 0, visit, start));
  if (!found) return fail(error::enoent);
  dir.i_diroff = found->position;
  return *found;
}

result<std::string_view> find_name_of(m_inode& dir, ino_nr inode, std::span<char> name_to) {
  std::optional<std::string_view> found;
  TRY(scan_directory(dir, 0, [&](const visited_entry& entry) {
    if (entry.inode() != inode || is_dot(entry.name())) return false;
    const std::string_view name = entry.name().substr(0, name_to.size());
    std::ranges::copy(name, name_to.begin());
    found = {name_to.data(), name.size()};
    return true;
  }));
  if (!found) return fail(error::enoent);
  return *found;
}

result<void> add_entry(operation& op, m_inode& dir, std::string_view name, ino_nr inode) {
  TRY(check_name(dir, name));
  std::optional<dir_record> free;
  TRY(scan_directory(dir, dir.i_no_free_before, [&](const visited_entry& entry) {
    if (entry.inode() != ino_nr{}) return false;
    free = entry.record();
    return true;
  }));
  dir.i_no_free_before = free ? free->position : dir.i_size;
  const raw_entry entry(dir, name, inode);
  if (free) return write_entry(op, dir, free->block, free->offset, entry);
  return append_entry(op, dir, entry);
}

result<void> set_entry(operation& op, m_inode& dir, const dir_record& entry, ino_nr inode) {
  buffer_ref buffer = TRY(bread(dir.i_dev, entry.block));
  op.about(dir.i_num, dir.i_path);
  if (inode == ino_nr{}) dir.i_no_free_before = std::min(dir.i_no_free_before, entry.position);
  TRY(buffer.modify(op, entry.offset, sizeof(le16), [&](std::span<byte> to) {
    *reinterpret_cast<le16*>(to.data()) = inode.value();
  }));
  touch(dir);
  return {};
}

result<bool> is_empty_directory(m_inode& dir) {
  bool empty = true;
  TRY(scan_directory(dir, 0, [&](const visited_entry& entry) {
    empty = entry.inode() == ino_nr{} || is_dot(entry.name());
    return !empty;
  }));
  return empty;
}

result<void> fill_new_directory(operation& op, m_inode& dir, ino_nr parent) {
  const raw_entry self(dir, ".", dir.i_num);
  const raw_entry up(dir, "..", parent);
  std::array<byte, 2 * DIR_ENTRY_MAX> both{};
  std::ranges::copy(self.span(), both.begin());
  std::ranges::copy(up.span(), both.begin() + self.size);
  TRY(create_block(op, dir, 0, {0, std::span<const byte>(both).first(2 * self.size)}));
  dir.i_size = 2 * self.size;
  touch(dir);
  return {};
}
