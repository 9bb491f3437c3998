// The batches of three other devices: only one place is left (fs/checkpoint/batch.h).
#pragma once

#include <array>
#include <deque>

#include "fs/checkpoint/batch.h"
#include "tests/drivers/block/manual_disk.h"

namespace sim {

class other_batches {
 public:
  other_batches() {
    for (manual_disk& each : disks_) batches_.emplace_back(each);
  }

 private:
  std::array<manual_disk, 3> disks_;
  std::deque<checkpoint::batch> batches_;
};

}  // namespace sim
