#include "fs/checkpoint/batch.h"

#include <algorithm>

#include "drivers/block/ll_rw_block.h"
#include "hal/panic.h"

namespace checkpoint {

namespace {

// The places of batches, and the device of each; null: free.
constexpr u32 PLACES = 4;
constinit std::array<buffer_head, PLACES * BATCH_BLOCKS> heads{};
constinit std::array<result<void>, PLACES * BATCH_BLOCKS> outcomes{};
constinit std::array<const block_device*, PLACES> devices{};
constinit wait_queue freed{};

// A free place, or PLACES; also when the device has a batch already.
u32 find_place(const block_device& device) {
  if (std::ranges::find(devices, &device) != devices.end()) return PLACES;
  return static_cast<u32>(std::ranges::find(devices, nullptr) - devices.begin());
}

void keep_outcome(buffer_head& bh, bool, result<void> outcome) {
  outcomes[static_cast<size_t>(&bh - heads.data())] = outcome;
}

}  // namespace

batch::batch(block_device& device) : device_(device) {
  device_.hold();  // before the sleep
  u32 place;
  while ((place = find_place(device_)) == PLACES) sleep_on(freed);
  devices[place] = &device_;
  first_ = place * BATCH_BLOCKS;
}

batch::~batch() {
  finish([](u32, const result<void>&) {});
  devices[first_ / BATCH_BLOCKS] = nullptr;
  device_.drop();
  wake_up(freed);
}

void batch::start(block_command cmd, lba at, byte* data) {
  kassert(!full());
  buffer_head& bh = heads[first_ + count_++];
  bh.b_data = data;
  bh.b_end_io = keep_outcome;
  device_.submit(cmd, at, bh);
}

bool batch::sent(u32 index) const { return heads[first_ + index].b_sent; }

result<void> batch::wait(u32 index) {
  wait_on_buffer(heads[first_ + index]);
  return outcomes[first_ + index];
}

}  // namespace checkpoint
