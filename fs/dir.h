// Directories as what they are on the disk: a file of entries. Names to inode numbers, no paths.
//
// Every function wants the directory locked by its caller; those that change it, for change.
#pragma once

#include <optional>
#include <string_view>

#include "fs/buffer.h"
#include "fs/inode.h"

// One entry, where it stands, and whether it is in use (inode is not ino_nr{}).
struct dir_record {
  u32 position;  // in the directory
  block_nr block;
  u32 offset;  // in that block
  ino_nr inode;
  std::string_view name;  // valid while the visit lasts
};

// Calls visit(const dir_record&) for every entry from `position` on, free ones too, until it
// returns true. The visit may not sleep. Errors: eio, eintr.
template <class Visit>
result<void> scan_directory(m_inode& dir, u32 position, Visit&& visit);

// Finds a name. Errors: enoent, enametoolong, eio.
result<dir_record> find_entry(m_inode& dir, std::string_view name);
// Finds the entry of an inode, for getcwd. Errors: enoent, eio.
result<dir_record> find_entry_of(m_inode& dir, ino_nr inode, std::span<char> name_to);
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

namespace detail {
dir_record record_at(const buffer_ref& buffer, u32 offset, u32 position, u32 name_length);
}

template <class Visit>
result<void> scan_directory(m_inode& dir, u32 position, Visit&& visit) {
  const u32 entry_size = super_of(dir).entry_size();
  const u32 size = std::min(dir.i_size, MAX_FILE_SIZE);
  for (position -= position % entry_size; position + entry_size <= size;) {
    const block_nr block = TRY(bmap(dir, position / BLOCK_SIZE));
    const u32 end = std::min(size, (position / BLOCK_SIZE + 1) * BLOCK_SIZE);
    if (block == block_nr{}) {  // a hole has no entries
      position = end;
      continue;
    }
    const buffer_ref buffer = TRY(bread(dir.i_dev, block));
    for (; position + entry_size <= end; position += entry_size)
      if (visit(detail::record_at(buffer, position % BLOCK_SIZE, position, entry_size - 2)))
        return {};
    if (position < end) break;  // the size is no multiple of an entry's
  }
  return {};
}
