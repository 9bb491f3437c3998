// A fake stick with its driver, which serves it in a task of its own. This object is the listener
// of media_event.
#pragma once

#include <array>
#include <memory>

#include "drivers/block/ll_rw_block.h"
#include "drivers/usb/storage/session.h"
#include "tests/drivers/usb/fake_stick.h"
#include "tests/sim/scheduler.h"

namespace sim {

// The operation codes whose answers tests change.
constexpr u8 test_unit_ready = 0x00, request_sense = 0x03, inquiry = 0x12, mode_sense = 0x1A,
             start_stop = 0x1B, read_capacity = 0x25, read_10 = 0x28, write_10 = 0x2A,
             synchronize = 0x35, read_16 = 0x88, write_16 = 0x8A, read_capacity_16 = 0x9E;

class served_stick {
 public:
  explicit served_stick(fake_stick& device);

  // The disk that has arrived; null when the driver gave up.
  block_device* await_arrival();
  // Pulls it and waits until the driver is done with it.
  void finish();

  fake_stick& stick;
  u32 arrivals = 0, departures = 0;
  block_device* current = nullptr;  // has arrived and not left
  bool ended = false;               // the driver has returned
  std::unique_ptr<fiber> task;

 private:
  wait_queue changed_;
};

// Plugs a stick in, runs the test on its disk, and pulls it.
void with_disk(const std::function<void(fake_stick&)>& prepare,
               const std::function<void(served_stick&, block_device&)>& test);

// A block in memory that the device can reach.
class dma_block {
 public:
  dma_block();
  result<void> move(block_device& disk, block_command cmd, u32 sector);
  void fill(u8 value);

  buffer_head head;

 private:
  dma_buffer memory_;
};

// Blocks that follow each other and go to the disk as one request.
template <u32 count>
struct dma_blocks {
  void move(block_device& disk, block_command cmd, u32 sector) {
    dma_block other;
    disk.submit(block_command::read, lba{1000}, other.head);  // meanwhile they are merged
    for (u32 i = 0; i < count; ++i) {
      heads[i].b_data = memory.bytes().data() + i * BLOCK_SIZE;
      memory.bytes()[i * BLOCK_SIZE] = static_cast<byte>(i + 1);
      heads[i].b_dirt = cmd == block_command::write;
      disk.submit(cmd, lba{sector + 2 * i}, heads[i]);
    }
    wait_on_buffer(other.head);
    for (buffer_head& head : heads) wait_on_buffer(head);
  }

  const dma_buffer memory = *dma_buffer::allocate(count * BLOCK_SIZE, count* BLOCK_SIZE);
  std::array<buffer_head, count> heads;
};

}  // namespace sim
