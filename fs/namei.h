// From a path to an inode (the book's namei.c): the walk and its permissions. Directories are
// changed in create.cc, unlink.cc and rename.cc.
//
// No function here returns with a lock held. An entry that was found may change before the caller
// locks the directory, so a caller that changes the directory searches again under its lock. namei,
// dir_namei, lookup and child_of sleep; their caller holds no inode lock.
#pragma once

#include <string_view>

#include "fs/inode.h"

// Bits of the mask that access and permission check.
constexpr u32 MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4;

// Errors: eacces unless the process has all permissions of `mask`. Root may read and write
// everything, search every directory, and execute a file with at least one execute bit. Never
// sleeps.
result<void> permission(const fs_context& ctx, const m_inode& inode, u32 mask);

// The inode that a path names. Errors: enoent, enotdir, eacces, enametoolong, enfile, eio, eintr.
result<inode_ref> namei(fs_context& ctx, std::string_view path);

// A path without its last name: the directory, and that name. The name may be "." or ".."; it is
// empty only for the path "/". Errors of dir_namei: as namei; the last name itself need not exist.
struct parent_and_name {
  inode_ref dir;
  std::string_view name;
  bool wants_directory;  // the path ended with a slash
};
result<parent_and_name> dir_namei(fs_context& ctx, std::string_view path);

// One step of the walk: the inode of a name in a directory. A directory that a file system is
// mounted on is replaced by its root; ".." leaves a mounted root. Errors: as namei, ebusy during an
// umount.
result<inode_ref> lookup(fs_context& ctx, m_inode& dir, std::string_view name);
// The inode of the entry itself; mount points are not crossed. Remembers its path (i_path). Errors:
// enoent, eio for an entry that names its own directory, and those of find_entry and iget.
result<inode_ref> child_of(m_inode& dir, std::string_view name);

// For a call that adds or removes a name: checks that `name` is an ordinary name, that the
// directory is not removed and that the process may write it. Never sleeps. Errors: eacces, enoent
// (removed), enotdir, eio, enametoolong, and `if_dot` for ".", ".." and "".
result<void> may_change(const fs_context& ctx, const m_inode& dir, std::string_view name,
                        error if_dot);
// Errors: eperm when the directory has the sticky bit and the process owns neither it nor the
// victim and is not root. Never sleeps.
result<void> may_delete(const fs_context& ctx, const m_inode& dir, const m_inode& victim);
