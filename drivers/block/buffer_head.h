// buffer_head: one block of a device in memory, the unit of all block I/O.
//
// The block layer moves blocks between b_data and a device; fs/buffer/buffer.cc decides which block
// stands where and for how long. Interrupt handlers touch none of this.
//
// - b_data: BLOCK_SIZE bytes; for a device that moves them by itself (hal/dma.h) at a multiple of
//   BLOCK_SIZE.
// - b_lock: I/O on the block is under way or queued; nobody but end_request unlocks it.
// - b_uptodate: b_data holds what the device holds, or something newer.
// - b_dirt: something newer. Cleared when a write has *completed* (0.11 cleared it when it was
//   queued, and a failed write was forgotten).
// - b_count: users; a head is given another block only at 0, unlocked and clean.
// - b_error: a write failed; kept until fsync, close, sync or umount has told somebody.
#pragma once

#include <optional>

#include "hal/wait.h"
#include "lib/ids.h"
#include "lib/intrusive_list.h"
#include "lib/result.h"

struct buffer_head {
  byte* b_data = nullptr;
  dev_id b_dev;
  block_nr b_blocknr;
  bool b_uptodate = false;
  bool b_dirt = false;
  bool b_lock = false;
  // The driver has taken the I/O off the queue: though it failed, the device may have seen it.
  bool b_sent = false;
  u32 b_count = 0;
  std::optional<error> b_error;
  wait_queue b_wait;

  // Told once per I/O, in the context of the driver's task, after b_lock has been cleared and
  // before the sleepers on b_wait run. May not sleep. Null: nobody wants to know.
  void (*b_end_io)(buffer_head& bh, bool write, result<void> outcome) = nullptr;

  list_link<buffer_head> b_request;    // the request that carries it
  list_link<buffer_head> b_hash_link;  // its hash chain, while b_dev is set
  list_link<buffer_head> b_list_link;  // the clean list (LRU) or its device's dirty list
};

// Sleeps until the buffer is unlocked. Bounded: every request ends by completion, time-out or
// removal.
inline void wait_on_buffer(buffer_head& bh) {
  while (bh.b_lock) sleep_on(bh.b_wait);
}
