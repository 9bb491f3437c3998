#include "tests/drivers/usb/served_stick.h"

#include <gtest/gtest.h>

#include <cstring>

#include "drivers/block/ll_rw_block.h"
#include "drivers/block/media_event.h"
#include "hal/clock.h"

namespace sim {

namespace {
served_stick* listening = nullptr;
}

served_stick::served_stick(fake_stick& device) : stick(device) {
  listening = this;
  set_media_listener({[](block_device& disk) {
                        ++listening->arrivals;
                        listening->current = &disk;
                        wake_up(listening->changed_);
                      },
                      [](block_device&) {
                        ++listening->departures;
                        listening->current = nullptr;
                        wake_up(listening->changed_);
                      }});
  task = std::make_unique<fiber>(spawn("stick", [this] {
    usb::storage::serve(stick, fake_stick::interface());
    ended = true;
    wake_up(changed_);
  }));
}

block_device* served_stick::await_arrival() {
  const instant deadline = now() + 100_s;
  while (!current && !ended && now() < deadline) sleep_on(changed_, deadline);
  return current;
}

void served_stick::finish() {
  stick.pull();
  task->join();
}

void with_disk(const std::function<void(fake_stick&)>& prepare,
               const std::function<void(served_stick&, block_device&)>& test) {
  run(1, [&] {
    fake_stick stick;
    if (prepare) prepare(stick);
    served_stick served(stick);
    block_device* disk = served.await_arrival();
    if (disk) test(served, *disk);
    EXPECT_TRUE(disk);
    served.finish();
    EXPECT_EQ(served.arrivals, served.departures);
  });
}

dma_block::dma_block() : memory_(*dma_buffer::allocate(BLOCK_SIZE, BLOCK_SIZE)) {
  head.b_data = memory_.bytes().data();
  head.b_count = 1;
}

result<void> dma_block::move(block_device& disk, block_command cmd, u32 sector) {
  head.b_error.reset();
  head.b_uptodate = cmd == block_command::write;
  disk.submit(cmd, lba{sector}, head);
  wait_on_buffer(head);
  if (cmd == block_command::read) return head.b_uptodate ? result<void>{} : fail(error::eio);
  return head.b_error ? fail(*head.b_error) : result<void>{};
}

void dma_block::fill(u8 value) { std::memset(head.b_data, value, BLOCK_SIZE); }

}  // namespace sim
