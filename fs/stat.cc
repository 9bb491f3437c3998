// Calls that report or set attributes of files and directories: stat, statfs, access, chmod, utime,
// getdents, chdir and getcwd (the book's stat.c and parts of its open.c).
#include <algorithm>
#include <cstring>

#include "fs/bitmap.h"
#include "fs/checkpoint/absence.h"
#include "fs/dir.h"
#include "fs/file_dev.h"
#include "fs/inode_lock.h"
#include "fs/namei.h"
#include "fs/pipe.h"
#include "fs/super.h"

namespace {

// From the inode in memory, which is newer than the disk or equal to it. Never sleeps.
abi::stat stat_inode(const m_inode& inode) {
  abi::stat s{};
  s.dev = inode.i_dev.value();
  s.ino = inode.i_num.value();
  s.mode = inode.i_mode;
  s.nlink = inode.i_nlinks;
  s.uid = inode.i_uid;
  s.gid = inode.i_gid;
  if (inode.is_char() || inode.is_block()) s.rdev = inode.rdev().value();
  s.size = inode.i_pipe ? pipe_bytes(inode) : inode.i_size;
  s.blksize = BLOCK_SIZE;
  s.blocks = (s.size / BLOCK_SIZE + (s.size % BLOCK_SIZE != 0)) * SECTORS_PER_BLOCK;
  s.atime = s.mtime = s.ctime = inode.i_mtime;  // the disk keeps only this one
  return s;
}

// Writes one record of getdents; returns its length in bytes, 0 if it does not fit.
u32 put_record(const visited_entry& entry, u32 next_position, std::span<byte> to) {
  const std::string_view name = entry.name();
  const u32 name_end = abi::dirent_name_offset + static_cast<u32>(name.size()) + 1;
  const u32 length = (name_end + 3) / 4 * 4;
  if (length > to.size()) return 0;
  abi::dirent head{};
  head.ino = entry.inode().value();
  head.offset = next_position;
  head.record_length = static_cast<u16>(length);
  std::ranges::fill(to.first(length), byte{});
  std::memcpy(to.data(), &head, abi::dirent_name_offset);
  std::memcpy(to.data() + abi::dirent_name_offset, name.data(), name.size());
  return length;
}

// Errors: eperm unless the process is the owner or root (chmod, utime).
result<void> must_own(const fs_context& ctx, const m_inode& inode) {
  const bool owner = ctx.euid == 0 || ctx.euid == inode.i_uid;
  return owner ? result<void>() : result<void>(fail(error::eperm));
}

// Writes text from the end of a buffer towards its start: getcwd finds the last name of the path
// first.
class backward_text {
 public:
  explicit backward_text(std::span<char> to) : to_(to), start_(to.size()) {}
  result<void> prepend(std::string_view text) {
    if (text.size() > start_) return fail(error::erange);
    start_ -= text.size();
    std::ranges::copy(text, to_.begin() + static_cast<std::ptrdiff_t>(start_));
    return {};
  }
  size_t length() const { return to_.size() - start_; }
  // Moves the text to the front of the buffer.
  void settle() { std::memmove(to_.data(), to_.data() + start_, length()); }

 private:
  std::span<char> to_;
  size_t start_;
};

// The name of the directory `child` in `parent`. If `child` is the root of a mounted file system,
// the name of the directory that it is mounted on. The lookup of `parent` may have slept, so
// check_alive tests once more that `child` is still mounted. Errors: eio if it is not; enoent,
// eintr.
result<std::string_view> name_in(m_inode& parent, const m_inode& child, std::span<char> to) {
  TRY(check_alive(child));
  const bool mounted = child.i_dev != parent.i_dev;
  const super_block& sb = super_of(child);
  const ino_nr number = mounted && sb.s_imount ? sb.s_imount->i_num : child.i_num;
  const inode_lock lock = TRY(inode_lock::take(parent));
  return find_name_of(parent, number, to);
}

}  // namespace

result<abi::stat> stat_file(file& f) {
  if (!f.f_inode->i_pipe) TRY(check_alive(*f.f_inode));
  return stat_inode(*f.f_inode);
}

result<abi::stat> stat_path(fs_context& ctx, std::string_view path) {
  return checkpoint::at_the_door(
      [&]() -> result<abi::stat> { return stat_inode(*TRY(namei(ctx, path))); });
}

namespace {
result<abi::statfs> statfs_path_now(fs_context& ctx, std::string_view path) {
  const inode_ref inode = TRY(namei(ctx, path));
  TRY(check_alive(*inode));
  super_block& sb = super_of(*inode);
  const super_use use(sb);
  const free_counts free = TRY(count_free(sb));
  abi::statfs s{};
  s.type = sb.s_magic;
  s.bsize = s.frsize = BLOCK_SIZE;
  s.blocks = u32{sb.s_nzones} - sb.s_firstdatazone;
  s.bfree = s.bavail = free.zones;
  s.files = sb.s_ninodes;
  s.ffree = free.inodes;
  s.fsid[0] = sb.s_dev.value();
  s.namelen = sb.name_length();
  s.flags = sb.s_rd_only ? 1 : 0;
  return s;
}
}  // namespace

result<abi::statfs> statfs_path(fs_context& ctx, std::string_view path) {
  return checkpoint::at_the_door([&] { return statfs_path_now(ctx, path); });
}

result<void> access_path(fs_context& ctx, std::string_view path, u32 mode) {
  return checkpoint::at_the_door([&]() -> result<void> {
    if (mode > (MAY_READ | MAY_WRITE | MAY_EXEC)) return fail(error::einval);
    const inode_ref inode = TRY(namei(ctx, path));
    TRY(permission(ctx, *inode, mode));
    TRY(check_alive(*inode));
    const bool device = inode->is_char() || inode->is_block();
    if ((mode & MAY_WRITE) && !device && super_of(*inode).s_rd_only) return fail(error::erofs);
    return {};
  });
}

result<void> chmod_path(fs_context& ctx, std::string_view path, u16 mode) {
  return checkpoint::at_the_door([&]() -> result<void> {
    const inode_ref inode = TRY(namei(ctx, path));
    TRY(must_own(ctx, *inode));
    fs_operation op = TRY(begin_operation(*inode));
    inode_change change(op);
    TRY(change.begin({inode.get()}));
    inode->i_mode = static_cast<u16>(inode->type() | (mode & 07777u));
    inode->i_dirt = true;
    return {};
  });
}

result<void> utime_path(fs_context& ctx, std::string_view path, u32 mtime) {
  return checkpoint::at_the_door([&]() -> result<void> {
    const inode_ref inode = TRY(namei(ctx, path));
    TRY(must_own(ctx, *inode));
    fs_operation op = TRY(begin_operation(*inode));
    inode_change change(op);
    TRY(change.begin({inode.get()}));
    inode->i_mtime = mtime;
    inode->i_dirt = true;
    return {};
  });
}

namespace {
result<u32> read_directory_now(file& f, std::span<byte> to) {
  m_inode& dir = *f.f_inode;
  if (!dir.is_dir()) return fail(error::enotdir);
  const inode_lock lock = TRY(inode_lock::take(dir));
  if (dir.i_nlinks == 0) return fail(error::enoent);  // removed: its entries mean nothing
  const u32 entry_size = super_of(dir).entry_size();
  u32 done = 0;
  bool full = false;
  const auto scanned = scan_directory(dir, f.f_pos, [&](const visited_entry& entry) {
    const u32 next = entry.position + entry_size;
    const u32 length = entry.inode() == ino_nr{} ? 0 : put_record(entry, next, to.subspan(done));
    full = entry.inode() != ino_nr{} && length == 0;
    if (full) return true;
    done += length;
    f.f_pos = next;
    return false;
  });
  if (done > 0) return done;  // the next call meets the same error
  TRY(scanned);
  if (full) return fail(error::einval);
  return 0u;
}
}  // namespace

result<u32> read_directory(file& f, std::span<byte> to) {
  return checkpoint::at_the_door([&] { return read_directory_now(f, to); });
}

result<void> change_directory(fs_context& ctx, std::string_view path) {
  return checkpoint::at_the_door([&]() -> result<void> {
    inode_ref dir = TRY(namei(ctx, path));
    if (!dir->is_dir()) return fail(error::enotdir);
    TRY(permission(ctx, *dir, MAY_EXEC));
    ctx.pwd = std::move(dir);
    return {};
  });
}

namespace {
result<u32> current_directory_now(fs_context& ctx, std::span<char> to) {
  constexpr u32 most_steps = 1024;  // on a damaged disk directories may form a ring
  backward_text text(to);
  TRY(text.prepend({"\0", 1}));
  inode_ref at = ctx.pwd.copy();
  for (u32 steps = 0; at.get() != ctx.root.get(); ++steps) {
    if (steps == most_steps) return fail(error::eio);
    TRY(check_alive(*at));
    if (at->i_nlinks == 0) return fail(error::enoent);
    const inode_ref parent = TRY(lookup(ctx, *at, ".."));
    std::array<char, DIR_ENTRY_MAX> name{};
    const std::string_view last = TRY(name_in(*parent, *at, name));
    TRY(text.prepend(last));
    TRY(text.prepend("/"));
    at = parent.copy();
  }
  if (text.length() == 1) TRY(text.prepend("/"));
  text.settle();
  return static_cast<u32>(text.length());
}
}  // namespace

result<u32> current_directory(fs_context& ctx, std::span<char> to) {
  return checkpoint::at_the_door([&] { return current_directory_now(ctx, to); });
}

fs_context fs_context::copy() const { return {root.copy(), pwd.copy(), umask, euid, egid}; }
