// A kernel with the checkpoint alone and one or two told disks (told_disk.h), for tests of single
// calls.
#pragma once

#include <functional>
#include <list>
#include <vector>

#include "fs/checkpoint/change.h"
#include "fs/checkpoint/volume.h"
#include "tests/fs/checkpoint/alone/told_disk.h"

namespace sim {

// One stick and its volume; each plug is a new disk.
struct told_plug {
  explicit told_plug(u32 blocks = 1024);
  ~told_plug();  // gives up what is still held

  void pull();
  void come_back();  // as the missing stick: verified and replayed
  void arrive();     // as a new one
  // Changes so many blocks, from `first` on, and leaves them held.
  void hold_blocks(u32 count, u32 first = 0);

  told_stick stick;
  std::list<told_disk> disks;
  told_disk* disk = nullptr;
  checkpoint::volume* v = nullptr;
  u32 blocks;
};

// The region of the world, with listeners that do nothing.
void make_checkpoint(u32 slots = 128);

// Runs `call` in a task of its own and returns its result and how long it took; `meanwhile` runs
// when it sleeps.
struct waited {
  result<void> outcome;
  duration took;
};
waited wait_in_task(std::function<result<void>()> call,
                    std::function<void(const fiber&)> meanwhile);

}  // namespace sim
