// From a path to an inode (the book's namei.c): the walk and its permissions. What changes
// directories stands in create.cc, unlink.cc and rename.cc.
//
// No function here returns with a lock held. What was found may have changed by the time it is
// locked, so whoever changes a directory looks again under its lock.
#pragma once

#include <string_view>

#include "fs/inode.h"

// access and permission: what is asked.
constexpr u32 MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4;

// Whether the process may; eacces if not. Root may read and write all, and execute what somebody
// may.
result<void> permission(const fs_context& ctx, const m_inode& inode, u32 mask);

// The inode that a path names. Errors: enoent, enotdir, eacces, enametoolong, enfile, eio, eintr.
result<inode_ref> namei(fs_context& ctx, std::string_view path);

// The directory that the last name of a path is in. The name may be "." or ".."; it is empty for
// the root directory alone.
struct parent_and_name {
  inode_ref dir;
  std::string_view name;
  bool wants_directory;  // the path ended with a slash
};
result<parent_and_name> dir_namei(fs_context& ctx, std::string_view path);

// One step: the inode of a name in a directory, across mount points and out of mounted roots.
result<inode_ref> lookup(fs_context& ctx, m_inode& dir, std::string_view name);
// The inode that the entry itself names, be it a mount point or not. Errors: enoent, eio for an
// entry that names its own directory, and iget's.
result<inode_ref> child_of(m_inode& dir, std::string_view name);

// For what adds or removes a name: `name` is one that may come and go, the process may write the
// directory, which is not removed. Errors: eacces, enoent, `if_dot` for ".", ".." and "".
result<void> may_change(const fs_context& ctx, const m_inode& dir, std::string_view name,
                        error if_dot);
// May the process take away this name, which the sticky bit of the directory may forbid?
result<void> may_delete(const fs_context& ctx, const m_inode& dir, const m_inode& victim);
