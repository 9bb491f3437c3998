#include "fs/checkpoint/batch.h"

#include "drivers/block/ll_rw_block.h"
#include "hal/panic.h"

namespace checkpoint {

namespace {

constinit std::array<buffer_head, BATCH_BLOCKS> heads{};
constinit std::array<result<void>, BATCH_BLOCKS> outcomes{};
constinit bool in_use = false;
constinit wait_queue freed{};

void keep_outcome(buffer_head& bh, bool, result<void> outcome) {
  outcomes[static_cast<size_t>(&bh - heads.data())] = outcome;
}

}  // namespace

batch::batch(block_device& device) : device_(device) {
  device_.hold();  // before the sleep
  while (in_use) sleep_on(freed);
  in_use = true;
}

batch::~batch() {
  finish([](u32, const result<void>&) {});
  device_.drop();
  in_use = false;
  wake_up(freed);
}

void batch::start(block_command cmd, lba at, byte* data) {
  kassert(!full());
  buffer_head& bh = heads[count_++];
  bh.b_data = data;
  bh.b_end_io = keep_outcome;
  device_.submit(cmd, at, bh);
}

bool batch::sent(u32 index) const { return heads[index].b_sent; }

result<void> batch::wait(u32 index) {
  wait_on_buffer(heads[index]);
  return outcomes[index];
}

}  // namespace checkpoint
