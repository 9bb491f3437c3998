// file_errors: which open files have not learnt yet that a write of their file has failed.
//
// Each open file learns it once, by the next fsync or its close, also when another one has learnt
// it, and when a later try has succeeded. Each try that fails counts. A block of data concerns its
// file. Another block (of a bitmap, of the inode table, of a file system without shadows) concerns
// all files of its device; and each block concerns the open files of the device itself and of its
// whole disk.
#pragma once

#include "fs/fs.h"

// A write of this block has failed. `owner`: the inode that it belongs to, 0 if that is not known.
// Never sleeps.
void note_refused_write(dev_id dev, block_nr block, ino_nr owner);
// From now on the file is told of the errors that follow. Never sleeps.
void forget_file_errors(file& f);
// eio: there was an error since the file was opened or asked last. Never sleeps.
result<void> take_file_error(file& f);

// Whether a block is not durable that the file depends on: one of its own, or one of the file
// system itself. Data of other regular files do not count. Never sleeps.
bool waits_for_blocks(const m_inode& inode);
