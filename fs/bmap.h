// bmap and create_block: from a block of a file to a block of the device.
#pragma once

#include "fs/bitmap.h"
#include "fs/checkpoint/operation.h"
#include "fs/inode.h"

// Where a block of a file stands: block_nr{} for a hole. The inode is locked. Sleeps. Errors: eio
// for a zone number that makes no sense, efbig.
result<block_nr> look_up_block(m_inode& inode, u32 file_block);
inline result<block_nr> bmap(m_inode& inode, u32 file_block) {
  const u32 into_run = file_block - inode.i_run.file_block;
  if (into_run < inode.i_run.count) return inode.i_run.first + into_run;
  return look_up_block(inode, file_block);
}
// For reading ahead. The first block of the file behind this one whose zone number stands
// elsewhere: in another indirect block.
u32 end_of_map(u32 file_block);
// That indirect block; block_nr{} if the inode itself has the number, or for a hole. As bmap.
result<block_nr> map_of(m_inode& inode, u32 file_block);

struct created_block {
  block_nr number;
  bool fresh;  // it was allocated now and holds the content
};
// The same, but a missing block is allocated, filled and linked in. Errors: enospc too.
result<created_block> create_block(operation& op, m_inode& inode, u32 file_block,
                                   const block_content& content);
