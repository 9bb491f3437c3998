// Creates an inode together with its name in a directory (in the book's namei.c).
#pragma once

#include "fs/namei.h"

// Creates a regular file or a device (`rdev`; dev_id{} for a file) under a name that does not
// exist. `mode` has type and permissions. Sleeps; the caller holds no inode lock. Errors: eexist,
// eacces, enoent (the directory is removed), enotdir, enametoolong, enospc, enfile, erofs, eio,
// eintr.
result<inode_ref> create_inode(fs_context& ctx, parent_and_name& at, u16 mode, dev_id rdev);
