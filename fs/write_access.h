// A regular file is written, or its program is run, but not both; the names are Linux's. fs.h has
// program_ref, the other side.
#pragma once

#include "fs/inode.h"

// Counts one more writer of the file; put_write_access takes it back. Nothing is counted for other
// inodes. Never sleeps. Errors: etxtbsy while the file's program is run.
result<void> get_write_access(m_inode& inode);
void put_write_access(m_inode& inode);
