// read_ahead: what a reader of a file or a device will want next.
//
// Who reads block after block finds the next ones on their way: a window of blocks is asked for
// before he comes to it, each window twice as long as the one before. Who jumps about gets what he
// asks for and nothing more, and who finds everything in the cache asks for nothing.
//
//   read | being read              | on its way | not asked for yet
//   -----+-------------------------+------------+------------------
//                 block ^           begin      end
//                                   marker: whoever reads this block asks for the next window
//
// It only counts blocks; whoever owns one (struct file) asks for them and never waits for them.
#pragma once

#include "lib/types.h"

struct block_range {
  u32 first = 0;
  u32 end = 0;  // behind the last one
};

class read_ahead {
 public:
  // The first window of a sequential reader, and the longest of all (then less if the cache is
  // small: two windows may be in it, unread).
  static constexpr u32 FIRST_WINDOW = 16, LONGEST_WINDOW = 512, CACHE_SHARE = 8;

  // The reader comes to a block. True: now is the time to ask for the next window.
  bool comes_to(u32 block) {
    follows_ = block - last_ <= 1;  // or the rest of a block that was read in part
    last_ = block;
    return follows_ && block == marker_;
  }
  block_range next_window(u32 buffers);
  // The block is not in the cache, and `wanted` blocks are to be read from it on.
  block_range missed(u32 block, u32 wanted, u32 buffers);
  // Of that range, the blocks before `end` have been asked for: there were no more to be had.
  void asked(u32 end);

 private:
  static constexpr u32 NOWHERE = ~u32{0};

  block_range window_at(u32 first, u32 size);

  u32 last_ = NOWHERE;  // the block that was read last; so block 0 follows
  bool follows_ = false;
  u32 begin_ = 0, end_ = 0;
  u32 size_ = 0;  // what the last window was to be, if it was cut
  u32 marker_ = NOWHERE;
};
