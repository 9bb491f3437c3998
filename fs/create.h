// A new name for a new inode (in the book's namei.c).
#pragma once

#include "fs/namei.h"

// A new regular file or device under a name that does not exist. Errors: eexist, enospc,
// erofs, …
result<inode_ref> create_inode(fs_context& ctx, parent_and_name& at, u16 mode, dev_id rdev);
