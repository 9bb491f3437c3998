// The path walk. See namei.h.
#include "fs/namei.h"

#include <algorithm>

#include "fs/dir.h"
#include "fs/inode_lock.h"
#include "fs/super.h"

result<void> permission(const fs_context& ctx, const m_inode& inode, u32 mask) {
  const u32 mode = inode.i_mode;
  if (ctx.euid == 0) {
    const bool executable = inode.is_dir() || (mode & 0111) != 0;
    return (mask & MAY_EXEC) && !executable ? result<void>(fail(error::eacces)) : result<void>();
  }
  const u32 shift = ctx.euid == inode.i_uid ? 6 : ctx.egid == inode.i_gid ? 3 : 0;
  return (mode >> shift & mask) == mask ? result<void>() : result<void>(fail(error::eacces));
}

namespace {

// The root of the file system mounted on an inode; the inode itself if none is. Errors: ebusy while
// that file system is being unmounted.
result<inode_ref> cross_mount(inode_ref inode) {
  while (inode->i_mount) {
    const auto supers = all_super_blocks();
    const auto mounted = std::ranges::find_if(
        supers, [&](const super_block& sb) { return sb.s_imount.get() == inode.get(); });
    if (mounted == supers.end()) break;
    if (mounted->s_leaving) return fail(error::ebusy);
    inode = mounted->s_isup.copy();
  }
  return inode;
}

// The directory in which ".." is looked up: for the root of a mounted file system, the directory
// that it is mounted on. Stops at the process's root.
inode_ref leave_mount(const fs_context& ctx, m_inode& dir) {
  inode_ref at = idup(dir);
  while (at.get() != ctx.root.get() && !at->i_gone) {
    const super_block& sb = super_of(*at);
    if (sb.s_isup.get() != at.get() || !sb.s_imount) break;
    at = sb.s_imount.copy();
  }
  return at;
}

// Removes the slashes in front of the next name and the name itself from `path`; returns the name.
std::string_view take_name(std::string_view& path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  const std::string_view name = path.substr(0, path.find('/'));
  path.remove_prefix(name.size());
  return name;
}

bool only_slashes(std::string_view path) { return path.find_first_not_of('/') == path.npos; }

}  // namespace

result<inode_ref> child_of(m_inode& dir, std::string_view name) {
  inode_ref child;  // declared before the lock: after an error its iput runs without the lock
  const inode_lock lock = TRY(inode_lock::take(dir));
  if (dir.i_nlinks == 0) return fail(error::enoent);  // removed: its ".." may be removed as well
  const dir_record entry = TRY(find_entry(dir, name));
  if (entry.inode == dir.i_num && !is_dot(name)) {
    complain(super_of(dir), "directory inside itself", dir.i_num.value());
    return fail(error::eio);
  }
  child = TRY(iget(dir.i_dev, entry.inode));
  if (child->i_nlinks == 0) {
    // Not enoent, after which the caller would create the name that is there.
    complain(super_of(dir), "deleted inode has a name", entry.inode.value());
    return fail(error::eio);
  }
  if (!is_dot(name)) set_path(*child, dir.path(), name);
  return child;
}

result<inode_ref> lookup(fs_context& ctx, m_inode& dir, std::string_view name) {
  if (!dir.is_dir()) return fail(error::enotdir);
  TRY(permission(ctx, dir, MAY_EXEC));
  if (name == ".") return idup(dir);
  if (name != "..") return cross_mount(TRY(child_of(dir, name)));
  const inode_ref from = leave_mount(ctx, dir);
  if (from.get() == ctx.root.get()) return from.copy();
  return cross_mount(TRY(child_of(*from, name)));
}

result<parent_and_name> dir_namei(fs_context& ctx, std::string_view path) {
  if (path.empty()) return fail(error::enoent);
  inode_ref dir = path.starts_with('/') ? ctx.root.copy() : ctx.pwd.copy();
  for (;;) {
    const std::string_view name = take_name(path);
    if (!dir->is_dir()) return fail(error::enotdir);
    if (only_slashes(path)) return parent_and_name{std::move(dir), name, !path.empty()};
    dir = TRY(lookup(ctx, *dir, name));
  }
}

result<inode_ref> namei(fs_context& ctx, std::string_view path) {
  parent_and_name at = TRY(dir_namei(ctx, path));
  if (at.name.empty()) return std::move(at.dir);
  inode_ref inode = TRY(lookup(ctx, *at.dir, at.name));
  if (at.wants_directory && !inode->is_dir()) return fail(error::enotdir);
  return inode;
}

result<void> may_change(const fs_context& ctx, const m_inode& dir, std::string_view name,
                        error if_dot) {
  if (name.empty() || is_dot(name)) return fail(if_dot);
  if (!dir.is_dir()) return fail(error::enotdir);
  TRY(check_alive(dir));
  if (dir.i_nlinks == 0) return fail(error::enoent);  // removed while it was in use
  TRY(check_name(dir, name));
  return permission(ctx, dir, MAY_WRITE | MAY_EXEC);
}

result<void> may_delete(const fs_context& ctx, const m_inode& dir, const m_inode& victim) {
  constexpr u16 sticky = 01000;
  const bool owner = ctx.euid == 0 || ctx.euid == dir.i_uid || ctx.euid == victim.i_uid;
  if ((dir.i_mode & sticky) && !owner) return fail(error::eperm);
  return {};
}
