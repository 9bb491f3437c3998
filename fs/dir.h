// Directories as what they are on the disk: a file of entries. Names to inode numbers, no paths.
//
// Every function wants the directory locked by its caller; those that change it, for change.
#pragma once

#include <cstring>
#include <optional>
#include <string_view>

#include "fs/bmap.h"
#include "fs/buffer/buffer.h"
#include "fs/inode.h"

inline bool is_dot(std::string_view name) { return name == "." || name == ".."; }

// One entry, where it stands, and whether it is in use (inode is not ino_nr{}).
struct dir_record {
  u32 position;  // in the directory
  block_nr block;
  u32 offset;  // in that block
  ino_nr inode;
};

// An entry as a scan sees it, in its buffer: valid while the visit lasts.
struct visited_entry {
  u32 position;
  block_nr block;
  const byte* raw;  // as on the disk: the inode, then the name, filled up with NULs
  u32 length;       // of the name's field

  ino_nr inode() const { return ino_nr{*reinterpret_cast<const le16*>(raw)}; }
  const char* field() const { return reinterpret_cast<const char*>(raw + sizeof(le16)); }
  std::string_view name() const {
    const std::string_view whole(field(), length);
    return whole.substr(0, whole.find('\0'));
  }
  // name() == wanted, for names no longer than the field. Names of one directory like to begin
  // alike, so their ends are looked at first.
  bool is_named(std::string_view wanted) const {
    const size_t size = wanted.size();
    return (size == length || field()[size] == '\0') && field()[size - 1] == wanted[size - 1] &&
           std::memcmp(field(), wanted.data(), size) == 0;
  }
  dir_record record() const { return {position, block, position % BLOCK_SIZE, inode()}; }
};

// Calls visit(const visited_entry&) for every entry from `position` on and in front of
// `end_position`, free ones too, until it returns true. The visit may not sleep. Errors: eio,
// eintr.
template <class Visit>
result<void> scan_directory(m_inode& dir, u32 position, Visit&& visit,
                            u32 end_position = MAX_FILE_SIZE);

// Finds a name. Errors: enoent, enametoolong, eio.
result<dir_record> find_entry(m_inode& dir, std::string_view name);
// Finds the name of an inode, for getcwd. Errors: enoent, eio.
result<std::string_view> find_name_of(m_inode& dir, ino_nr inode, std::span<char> name_to);
// Adds a name that is not there yet (its caller has looked, under the same lock). Errors: enospc,
// efbig, enametoolong, eio.
result<void> add_entry(operation& op, m_inode& dir, std::string_view name, ino_nr inode);
// Makes an entry stand for another inode; ino_nr{} frees it. Errors: eio.
result<void> set_entry(operation& op, m_inode& dir, const dir_record& entry, ino_nr inode);
// Whether there is nothing in it but . and .. Errors: eio.
result<bool> is_empty_directory(m_inode& dir);
// Gives a new directory its first block, with . and .. in it.
result<void> fill_new_directory(operation& op, m_inode& dir, ino_nr parent);

// enametoolong, or enoent for the empty name.
result<void> check_name(const m_inode& dir, std::string_view name);

template <class Visit>
result<void> scan_directory(m_inode& dir, u32 position, Visit&& visit, u32 end_position) {
  const u32 entry_size = super_of(dir).entry_size();
  const u32 size = std::min(dir.i_size, end_position);
  for (position -= position % entry_size; position + entry_size <= size;) {
    const block_nr block = TRY(bmap(dir, position / BLOCK_SIZE));
    const u32 end = std::min(size, (position / BLOCK_SIZE + 1) * BLOCK_SIZE);
    if (block == block_nr{}) {  // a hole has no entries
      position = end;
      continue;
    }
    const buffer_ref buffer = TRY(bread(dir.i_dev, block));
    visited_entry entry{position, block, buffer.data().data() + position % BLOCK_SIZE,
                        entry_size - static_cast<u32>(sizeof(le16))};
    for (; entry.position + entry_size <= end; entry.position += entry_size) {
      if (visit(std::as_const(entry))) return {};
      entry.raw += entry_size;
    }
    position = entry.position;
    if (position < end) break;  // the size is no multiple of an entry's
  }
  return {};
}
