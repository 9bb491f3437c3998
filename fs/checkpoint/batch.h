// batch: many blocks are transferred between memory and a device at once, without the cache. The
// verification and write_set use it; each block has a buffer_head of its own that is in no hash.
#pragma once

#include <array>
#include <span>

#include "drivers/block/block_device.h"
#include "drivers/block/genhd.h"

namespace checkpoint {

constexpr u32 BATCH_BLOCKS = 256;

// The heads are too large for a kernel stack: they exist for a few batches, and a device has one at
// a time. The constructor sleeps until there is a place. Bounded, as all I/O is; a device that does
// not answer keeps the others from theirs only when there are several such devices. A batch holds a
// reference to its device.
class [[nodiscard]] batch {
 public:
  explicit batch(block_device& device);
  ~batch();
  batch(const batch&) = delete;
  batch& operator=(const batch&) = delete;

  bool full() const { return count_ == BATCH_BLOCKS; }
  u32 size() const { return count_; }
  // Starts the transfer of one block between `data` (BLOCK_SIZE bytes) and the medium. Not when
  // full(). May sleep until the block layer has a free request.
  void start(block_command cmd, lba at, byte* data);
  // Sleeps until all transfers are over and calls each(index, outcome) in the order of their start.
  // Then the batch is empty.
  template <class Each>
  void finish(Each&& each) {
    for (u32 i = 0; i < count_; ++i) each(i, wait(i));
    count_ = 0;
  }

  // To be called by `each`: whether transfer `index` was sent, so the device may have executed it.
  bool sent(u32 index) const;

 private:
  result<void> wait(u32 index);

  block_device& device_;
  u32 first_ = 0;  // of its heads
  u32 count_ = 0;
};

}  // namespace checkpoint
