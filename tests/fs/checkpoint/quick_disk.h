// A disk so quick that no task runs between two of its requests.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "drivers/block/media_event.h"
#include "tests/fs/machine.h"

namespace sim {

class quick_disk final : public block_device {
 public:
  // 512 blocks of zeros. Arrives when the daemons of the world next run; its end is a pull.
  quick_disk() {
    identity.sectors = 1024;
    removable = true;
    daemon("quick_disk", [this] { serve(); });
  }

  ~quick_disk() override {
    die();
    media_left(*this);
    wait_unreferenced();
    wake_up(work_);
    while (!ended_) sleep_on(end_);
  }

  bool busy = false;         // requests stay in the queue; call request_fn when this ends
  bool flush_fails = false;  // the next flush fails, and leaves the disk busy
  std::map<u32, byte>
      blocks;  // by number: the first byte that was written, of which a read is full
  std::function<void(block_command, u32 block)> ended;  // called when a request has ended

  void request_fn() override { wake_up(work_); }

 private:
  void serve() {
    media_arrived(*this);
    while (!gone()) {
      request* r = busy ? nullptr : next_request();
      if (r)
        carry_out(*r);
      else
        sleep_on(work_);
    }
    ended_ = true;
    wake_up(end_);
  }

  void carry_out(request& r) {
    const block_command cmd = r.cmd;
    const u32 first = r.sector.value() / SECTORS_PER_BLOCK;
    u32 block = first;
    for (buffer_head& bh : r.buffers) {
      if (cmd == block_command::write) blocks[block] = bh.b_data[0];
      if (cmd == block_command::read) std::fill_n(bh.b_data, BLOCK_SIZE, blocks[block]);
      ++block;
    }
    const bool fails = cmd == block_command::flush && std::exchange(flush_fails, false);
    if (fails) busy = true;
    end_request(r, fails ? result<void>(fail(error::eio)) : result<void>());
    if (ended) ended(cmd, first);
  }

  wait_queue work_, end_;
  bool ended_ = false;
};

}  // namespace sim
