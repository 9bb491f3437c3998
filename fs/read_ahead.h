// read_ahead: which blocks of a file or a device are prefetched for its reader.
//
// - Sequential reader: a window of blocks is prefetched before it is reached. Windows double, from
//   16 to 512 blocks.
// - Reader that jumps: the blocks of its call are prefetched, nothing behind them.
// - Prefetching begins with a block that is not in the cache. A file whose blocks are all in the
//   cache is never prefetched.
//
//   read | being read              | prefetched | not asked for yet
//   -----+-------------------------+------------+------------------
//                 block ^           begin      end
//                                   marker: when this block is read, the next window is prefetched
//
// This class computes windows only and never sleeps. The reading code (ask_for in file_dev.cc and
// block_dev.cc) starts the reads of a window and does not wait for them. All numbers are blocks.
#pragma once

#include "lib/types.h"

struct block_range {
  u32 first = 0;
  u32 end = 0;  // the block behind the last one
};

class read_ahead {
 public:
  // The first window of a sequential reader, and the longest; no window is longer than the cache
  // divided by CACHE_SHARE, as two windows may be in the cache and not read yet.
  static constexpr u32 FIRST_WINDOW = 16, LONGEST_WINDOW = 512, CACHE_SHARE = 8;

  // Called for each block that is read. True: the caller prefetches next_window now.
  bool comes_to(u32 block) {
    follows_ = block - last_ <= 1;  // 0: the rest of a block that was read in part
    last_ = block;
    return follows_ && block == marker_;
  }
  // The window behind the last one. `buffers`: the size of the cache. Then call asked.
  block_range next_window(u32 buffers);
  // `block` is not in the cache, and the call reads `wanted` blocks from it on: the range to start
  // reading now, beginning with `block`. Then call asked.
  block_range missed(u32 block, u32 wanted, u32 buffers);
  // The reads of the range have been started up to `end`; the rest could not be started.
  void asked(u32 end);

 private:
  static constexpr u32 NOWHERE = ~u32{0};

  block_range window_at(u32 first, u32 size);

  u32 last_ = NOWHERE;    // the block that was read last; block 0 follows NOWHERE
  bool follows_ = false;  // the block being read follows the one before: a sequential reader
  u32 begin_ = 0, end_ = 0;
  u32 size_ = 0;  // of the last window, before `asked` cut it
  u32 marker_ = NOWHERE;
};
