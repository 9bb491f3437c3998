#include "tests/pc/stick.h"

#include <gtest/gtest.h>

#include <cstring>

#include "hal/clock.h"
#include "hal/task.h"
#include "hal/wait.h"

namespace pc {

stick::stick(std::vector<byte>& content) : content_(content) {
  identity.sectors = static_cast<u32>(content.size() / SECTOR_SIZE);
  identity.serial = {'p', 'c'};
  removable = true;
  media_arrived(*this);
}

stick::~stick() {
  pull();
  wait_unreferenced();
}

void stick::pull() {
  if (gone()) return;
  die();
  media_left(*this);
}

bool stick::read_fails() {
  if (failing_reads_ == 0) return false;
  if (good_reads_ > 0) return --good_reads_, false;
  return --failing_reads_, true;
}

void stick::slow_down(duration each) {
  delay_ = each;
  EXPECT_TRUE(kernel_task(
      "stick", [](void* self) { static_cast<stick*>(self)->serve(); }, this));
}

void stick::request_fn() {
  if (delay_ > duration{}) return wake_up(work_);
  while (request* r = next_request()) carry_out(*r);
}

void stick::serve() {
  for (;;) {
    if (request* const r = next_request()) {
      sleep_for(delay_);
      carry_out(*r);
    } else {
      sleep_on(work_);
    }
  }
}

void stick::carry_out(request& r) {
  if (r.cmd == block_command::read && read_fails()) return end_request(r, fail(error::eio));
  byte* at = content_.data() + size_t{r.sector.value()} * SECTOR_SIZE;
  for (const buffer_head& bh : r.buffers) {
    if (r.cmd == block_command::write)
      std::memcpy(at, bh.b_data, BLOCK_SIZE);
    else
      std::memcpy(bh.b_data, at, BLOCK_SIZE);
    at += BLOCK_SIZE;
  }
  end_request(r, {});
}

}  // namespace pc
