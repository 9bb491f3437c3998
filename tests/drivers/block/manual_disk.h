// A block device without a driver: the test takes the requests off its queue.
#pragma once

#include <deque>
#include <vector>

#include "tests/sim/blocks.h"

namespace sim {

class manual_disk final : public block_device {
 public:
  manual_disk() { identity.sectors = 2048; }
  void request_fn() override { ++calls; }
  // Takes all requests and ends them. Returns the first sector and the number of sectors of each,
  // in the order in which a driver gets them.
  std::vector<std::pair<u32, u32>> take_all() {
    std::vector<std::pair<u32, u32>> taken;
    while (request* r = next_request()) {
      taken.emplace_back(r->sector.value(), r->nr_sectors);
      end_request(*r, {});
    }
    return taken;
  }
  int calls = 0;
};

inline std::deque<test_block> start_all(block_device& device, block_command cmd,
                                        std::initializer_list<u32> numbers) {
  std::deque<test_block> blocks;
  for (u32 number : numbers) blocks.emplace_back(u8{1}).start(device, cmd, number);
  return blocks;
}

}  // namespace sim
