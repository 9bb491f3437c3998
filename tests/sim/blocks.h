// Blocks for tests that talk to a block_device directly, without the buffer cache.
#pragma once

#include <algorithm>
#include <array>

#include "drivers/block/block_device.h"
#include "drivers/block/ll_rw_block.h"

namespace sim {

// A buffer_head with its data, filled with one value. It keeps the outcome of its I/O.
class test_block {
 public:
  explicit test_block(u8 fill) {
    data_.fill(byte{fill});
    head.b_data = data_.data();
    head.b_count = 1;
    head.b_end_io = [](buffer_head& bh, bool, result<void> ended_with) {
      // The head is the first member.
      auto& self = reinterpret_cast<test_block&>(bh);
      self.outcome = ended_with;
      ++self.endings;
    };
  }
  test_block(const test_block&) = delete;
  test_block& operator=(const test_block&) = delete;

  // Starts the I/O, which must have ended before this object is destroyed.
  void start(block_device& device, block_command cmd, u32 block) {
    if (cmd == block_command::write) head.b_dirt = head.b_uptodate = true;
    device.submit(cmd, lba{block * SECTORS_PER_BLOCK}, head);
  }
  result<void> wait() {
    wait_on_buffer(head);
    return outcome;
  }
  result<void> write_to(block_device& device, u32 block) {
    start(device, block_command::write, block);
    return wait();
  }
  result<void> read_from(block_device& device, u32 block) {
    start(device, block_command::read, block);
    return wait();
  }
  bool holds(u8 fill) const {
    return std::all_of(data_.begin(), data_.end(), [&](byte b) { return b == byte{fill}; });
  }

  buffer_head head;
  result<void> outcome{};
  int endings = 0;

 private:
  std::array<byte, BLOCK_SIZE> data_;
};

}  // namespace sim
