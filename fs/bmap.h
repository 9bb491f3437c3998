// bmap and create_block: from a block of a file to a block of the device.
#pragma once

#include "fs/bitmap.h"
#include "fs/checkpoint/operation.h"
#include "fs/inode.h"

// Block numbers of files count from 0 in blocks of BLOCK_SIZE; the caller has locked the inode.

// The device block that holds block `file_block` of the file; block_nr{} for a hole. Sleeps.
// Errors: eio (also for a zone number outside the data zones), efbig, eintr. look_up_block walks
// the zone numbers and remembers the run that it found in i_run; bmap answers from that run when it
// can.
result<block_nr> look_up_block(m_inode& inode, u32 file_block);
inline result<block_nr> bmap(m_inode& inode, u32 file_block) {
  const u32 into_run = file_block - inode.i_run.file_block;
  if (into_run < inode.i_run.count) return inode.i_run.first + into_run;
  return look_up_block(inode, file_block);
}
// For reading ahead: the first block of the file, behind `file_block`, whose zone number is stored
// in another indirect block than that of `file_block` (or in the first one). Never sleeps.
u32 end_of_map(u32 file_block);
// The indirect block that stores the zone number of `file_block`; block_nr{} when the inode itself
// stores the number, or when no such block is allocated. Sleeps. Errors: as bmap.
result<block_nr> map_of(m_inode& inode, u32 file_block);

struct created_block {
  block_nr number;
  bool fresh;  // allocated by this call, and filled with `content`
};
// As bmap, but a missing block is allocated, filled with `content` and linked into the file. A
// block that exists is left unchanged. Sleeps. Errors: as bmap, and enospc. After an error,
// indirect blocks that were allocated on the way stay in the file.
result<created_block> create_block(operation& op, m_inode& inode, u32 file_block,
                                   const block_content& content);
