#include "tests/fs/checkpoint/alone/told_machine.h"

#include <gtest/gtest.h>

#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/replay.h"
#include "fs/checkpoint/story.h"
#include "hal/clock.h"
#include "tests/sim/memory.h"

namespace sim {

void make_checkpoint(u32 slots) {
  const kept_memory for_ever;
  checkpoint::init(slots);
}

told_plug::told_plug(u32 size) : blocks(size) { arrive(); }

told_plug::~told_plug() {
  v->uses = 0;
  if (has_device(*v)) pull();
  if (checkpoint::is_missing(*v)) checkpoint::dropped(*v);
  checkpoint::release_if_unused(*v);
}

void told_plug::arrive() {
  disk = &disks.emplace_back(stick, blocks);
  disk->at_once = true;
  partition_table table{};
  table[0] = {lba{}, blocks * SECTORS_PER_BLOCK, 0};
  v = checkpoint::arrived(*disk, table);
  ASSERT_TRUE(v);
}

void told_plug::pull() {
  disk->die();
  disk->drop_in_hand();
  checkpoint::pulled(*v);
}

void told_plug::come_back() {
  disk = &disks.emplace_back(stick, blocks);
  disk->at_once = true;
  const checkpoint::verification verifying(*v);
  story::tell_stick(story::event::verified, v->disk);
  EXPECT_TRUE(checkpoint::replay(*v, *disk));
}

void told_plug::hold_blocks(u32 count, u32 first) {
  static constexpr block_content ours{byte{1}, byte{2}};
  for (u32 i = first; i < first + count; ++i) {
    auto op = operation::begin(v->disk);
    ASSERT_TRUE(op);
    auto change = checkpoint::begin_change(*op, block_nr{i}, block_content{}, true);
    ASSERT_TRUE(change.allowed());
    story::tell(story::event::dirtied, v->disk, block_nr{i}, BLOCK_SIZE);
    EXPECT_TRUE(std::move(change).finish(ours, 0, BLOCK_SIZE));
  }
}

waited wait_in_task(std::function<result<void>()> call,
                    std::function<void(const fiber&)> meanwhile) {
  waited outcome{};
  const instant begun = now();
  const fiber waiting = spawn("waiting", [&] {
    outcome.outcome = call();
    outcome.took = now() - begun;
    forget_signal();
  });
  while (!waiting.asleep() && !waiting.ended()) yield();
  meanwhile(waiting);
  waiting.join();
  return outcome;
}

}  // namespace sim
