// buffer_head: one block of a device in memory, the unit of all block I/O.
//
// The block layer moves blocks between b_data and a device; fs/buffer/buffer.cc decides which block
// stands where and for how long. Interrupt handlers touch none of this.
//
// - b_data: BLOCK_SIZE bytes. For a device with DMA (hal/dma.h) the address is a multiple of
//   BLOCK_SIZE.
// - b_lock: I/O on the block is queued or under way. Only end_request clears it.
// - b_uptodate: b_data holds what the device holds, or something newer.
// - b_dirt: b_data is newer than the device's content. Cleared when a write has *completed* (0.11
//   cleared it when the write was queued, so a failed write was forgotten).
// - b_count: the number of users. A head is given another block only when this is 0 and the buffer
//   is unlocked and clean.
// - b_error: a write failed. Kept until fsync, close, sync or umount has returned the error.
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
  // The driver has taken the I/O off the queue. If the I/O fails then, the device may have executed
  // it all the same.
  bool b_sent = false;
  u32 b_count = 0;
  std::optional<error> b_error;
  wait_queue b_wait;

  // Called once for each I/O that ends, in the driver's task, after b_lock has been cleared and
  // before the tasks that sleep on b_wait run. May not sleep. Null: no call.
  void (*b_end_io)(buffer_head& bh, bool write, result<void> outcome) = nullptr;

  list_link<buffer_head> b_request;    // the request that it is part of
  list_link<buffer_head> b_hash_link;  // its hash chain, while b_dev is set
  list_link<buffer_head> b_list_link;  // the clean list (LRU) or its device's dirty list
};

// Sleeps until the buffer is unlocked. Bounded: every request ends by completion, time-out or
// removal.
inline void wait_on_buffer(buffer_head& bh) {
  while (bh.b_lock) sleep_on(bh.b_wait);
}
