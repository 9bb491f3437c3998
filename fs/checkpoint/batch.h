// batch: many blocks moved between memory and a device at once, past the cache. The replay and the
// verification use it; each block has a buffer_head of its own that no hash knows.
#pragma once

#include <array>
#include <span>

#include "drivers/block/block_device.h"
#include "drivers/block/genhd.h"

namespace checkpoint {

constexpr u32 BATCH_BLOCKS = 256;

// Where a block of a volume stands on the whole medium.
inline lba medium_address(const partition_table& partitions, dev_id dev, block_nr block) {
  return partitions[dev.minor() % MINORS_PER_DISK].first + block.value() * SECTORS_PER_BLOCK;
}

// There is one set of heads, too large for a kernel stack: whoever makes a batch waits for the one
// before to end. Bounded, as all I/O is.
class [[nodiscard]] batch {
 public:
  explicit batch(block_device& device);
  ~batch();
  batch(const batch&) = delete;
  batch& operator=(const batch&) = delete;

  bool full() const { return count_ == BATCH_BLOCKS; }
  u32 size() const { return count_; }
  // Starts one block's transfer between `data` and the medium.
  void start(block_command cmd, lba at, byte* data);
  // Waits for all and tells, in the order they were started, how each went. Then the batch is
  // empty.
  template <class Each>
  void finish(Each&& each) {
    for (u32 i = 0; i < count_; ++i) each(i, wait(i));
    count_ = 0;
  }

  // For `each`: whether the device may have seen the transfer.
  bool sent(u32 index) const;

 private:
  result<void> wait(u32 index);

  block_device& device_;
  u32 count_ = 0;
};

}  // namespace checkpoint
