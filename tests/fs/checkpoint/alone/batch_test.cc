// Many blocks at once: a batch (fs/checkpoint/batch.h), and sets that are larger than one.
#include "fs/checkpoint/batch.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>

#include "drivers/block/ll_rw_block.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/shadow.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/alone/told_machine.h"

namespace {

using namespace sim;
using checkpoint::batch;
using checkpoint::BATCH_BLOCKS;

TEST(batch, ends_its_transfers_in_the_order_of_their_start) {
  run(1, [] {
    told_stick stick;
    told_disk disk(stick, 1024);
    disk.at_once = true;
    disk.ask = [](block_command, u32 block, const byte*) {
      return told_disk::answer{block % 3 != 0, false};
    };
    std::vector<block_content> data(BATCH_BLOCKS);
    batch writes(disk);
    for (int round = 0; round < 2; ++round) {
      for (u32 i = 0; i < BATCH_BLOCKS; ++i) {
        EXPECT_FALSE(writes.full());
        EXPECT_EQ(writes.size(), i);
        writes.start(block_command::write, lba{2 * (500 - i)}, data[i].data());
      }
      EXPECT_TRUE(writes.full());
      u32 next = 0;
      writes.finish([&](u32 i, const result<void>& outcome) {
        EXPECT_EQ(i, next++);
        EXPECT_EQ(outcome.has_value(), (500 - i) % 3 != 0);
        EXPECT_TRUE(writes.sent(i));
      });
      EXPECT_EQ(next, BATCH_BLOCKS);
      EXPECT_EQ(writes.size(), 0u);
    }
  });
}

// One for each device: a stick that does not answer keeps no other one waiting.
TEST(batch, waits_for_no_other_device) {
  run(1, [] {
    told_stick stick;
    told_disk first(stick, 64), second(stick, 64);
    const batch one(first);
    const must_not_sleep here;
    const batch two(second);
  });
}

TEST(batch, exists_once_for_each_device_and_keeps_it) {
  run(1, [] {
    told_stick stick;
    told_disk disk(stick, 64);
    std::optional<batch> one(std::in_place, disk);
    EXPECT_FALSE(disk.wait_unreferenced(now()));
    const waited other = wait_in_task(
        [&] {
          const batch two(disk);
          return result<void>();
        },
        [&](const fiber&) {
          sleep_for(5_s);
          one.reset();
          EXPECT_FALSE(disk.wait_unreferenced(now())) << "held before it sleeps";
        });
    EXPECT_EQ(other.took.ns, (5_s).ns);
    EXPECT_TRUE(disk.wait_unreferenced(now()));
  });
}

TEST(batch, knows_what_was_sent_before_a_pull) {
  run(1, [] {
    told_stick stick;
    told_disk disk(stick, 64);
    std::array<block_content, 2> data{};
    batch writes(disk);
    writes.start(block_command::write, lba{0}, data[0].data());
    writes.start(block_command::write, lba{8}, data[1].data());
    disk.take();
    disk.die();
    disk.drop_in_hand();
    u32 ended = 0;
    writes.finish([&](u32 i, const result<void>& outcome) {
      ++ended;
      EXPECT_EQ(outcome, fail(error::enodev));
      EXPECT_EQ(writes.sent(i), i == 0);
    });
    EXPECT_EQ(ended, 2u);
  });
}

TEST(batch, does_not_take_more_than_it_has_heads) {
  u32 started = 0;
  world w({.expect_panic = true});
  w.run([&] {
    told_stick stick;
    told_disk disk(stick, 64);
    disk.at_once = true;
    block_content data{};
    batch writes(disk);
    for (u32 i = 0; i <= BATCH_BLOCKS; ++i) {
      writes.start(block_command::read, lba{0}, data.data());
      ++started;
    }
  });
  EXPECT_TRUE(w.panicked());
  EXPECT_EQ(started, BATCH_BLOCKS);
}

// Counts the writes of each block.
struct counted_writes {
  explicit counted_writes(told_plug& plug) {
    plug.disk->ask = [this](block_command cmd, u32 block, const byte*) {
      if (cmd == block_command::write) ++writes[block];
      return told_disk::answer{cmd == block_command::flush || !refused(block), false};
    };
  }
  std::function<bool(u32 block)> refused = [](u32) { return false; };
  std::map<u32, u32> writes;
};

TEST(large_sets, are_replayed_whole) {
  run(1, [] {
    make_checkpoint(1536);
    told_plug plug;
    plug.hold_blocks(2 * BATCH_BLOCKS + 7);
    plug.pull();
    plug.come_back();
    EXPECT_EQ(checkpoint::held_blocks(*plug.v), 0u);
    for (u32 i = 0; i < 2 * BATCH_BLOCKS + 7; ++i)
      EXPECT_EQ(plug.stick.durable(i)[1], byte{2}) << "block " << i;
    EXPECT_EQ(plug.stick.durable(2 * BATCH_BLOCKS + 7)[1], byte{0});
  });
}

// Writes all blocks as the cache does, then loses the stick's cache.
void write_and_lose(told_plug& plug, u32 count) {
  block_content ours{byte{1}, byte{2}};
  for (u32 i = 0; i < count; ++i) {
    buffer_head bh;
    bh.b_data = ours.data();
    bh.b_dev = plug.v->disk;
    bh.b_blocknr = block_nr{i};
    checkpoint::issued(bh.b_dev, bh.b_blocknr);
    ll_rw_block(block_command::write, bh);
    checkpoint::written(bh.b_dev, bh.b_blocknr, {}, true);
  }
  plug.stick.lose_cache();
  plug.disk->cache_lost();
}

// Blocks that the stick refuses stand in front of those that it takes: more than one batch.
TEST(large_sets, are_written_again_but_for_what_is_refused) {
  static constexpr u32 count = BATCH_BLOCKS + 60, refused = BATCH_BLOCKS + 20;
  run(1, [] {
    make_checkpoint(1536);
    told_plug plug;
    plug.hold_blocks(count);
    write_and_lose(plug, count);
    counted_writes counted(plug);
    counted.refused = [](u32 block) { return block < refused; };
    EXPECT_EQ(checkpoint::barrier(plug.v->disk), fail(error::eio));
    EXPECT_EQ(checkpoint::held_blocks(*plug.v), refused);
    for (u32 i = refused; i < count; ++i) {
      EXPECT_EQ(counted.writes[i], 1u);
      EXPECT_EQ(plug.stick.durable(i)[1], byte{2});
    }
    EXPECT_EQ(counted.writes[0], 1u) << "not again and again";
    counted.refused = [](u32) { return false; };
    EXPECT_TRUE(checkpoint::barrier(plug.v->disk));
    EXPECT_EQ(checkpoint::held_blocks(*plug.v), 0u);
    EXPECT_EQ(counted.writes[0], 2u);
    EXPECT_EQ(counted.writes[count - 1], 1u);
    EXPECT_EQ(plug.stick.durable(0)[1], byte{2});
  });
}

// A write of the region that was not sent says nothing: the slot is as it was before.
TEST(large_sets, of_which_nothing_was_sent_are_as_before) {
  run(1, [] {
    make_checkpoint();
    told_plug plug;
    plug.hold_blocks(3);
    write_and_lose(plug, 2);
    plug.disk->at_once = false;
    const waited got = wait_in_task([&] { return checkpoint::barrier(plug.v->disk); },
                                    [&](const fiber&) {
                                      plug.disk->carry_out_one();  // a flush, which proves nothing
                                      while (plug.disk->queued < 2) sleep_for(1_ms);
                                      plug.pull();
                                    });
    EXPECT_EQ(got.outcome, fail(error::enodev));
    const auto state = [&](u32 i) {
      return checkpoint::find_slot(plug.v->disk, block_nr{i})->state;
    };
    EXPECT_EQ(state(0), checkpoint::slot_state::lost);
    EXPECT_EQ(state(1), checkpoint::slot_state::lost);
    EXPECT_EQ(state(2), checkpoint::slot_state::held);
    plug.come_back();
    EXPECT_EQ(checkpoint::held_blocks(*plug.v), 0u);
  });
}

// The region writes eighty blocks, and has requests for thirty-two: while it sleeps for more, one
// of the others is changed. That one is the cache's from then on, and the outcomes that follow
// still belong to their blocks.
TEST(large_sets, leave_out_what_is_changed_meanwhile) {
  run(1, [] {
    make_checkpoint(256);
    told_plug plug;
    plug.hold_blocks(80);
    write_and_lose(plug, 80);
    plug.disk->at_once = false;
    counted_writes counted(plug);
    counted.refused = [](u32 block) { return block == 72; };
    const waited got = wait_in_task([&] { return checkpoint::barrier(plug.v->disk); },
                                    [&](const fiber& waiting) {
                                      plug.disk->carry_out_one();  // a flush that proves nothing
                                      while (plug.disk->queued < 32) sleep_for(1_ms);
                                      sleep_for(1_ms);
                                      plug.hold_blocks(1, 70);
                                      while (!waiting.ended()) {
                                        plug.disk->carry_out_one();
                                        sleep_for(1_ms);
                                      }
                                    });
    EXPECT_EQ(got.outcome, fail(error::eio));
    for (u32 i = 0; i < 80; ++i) {
      EXPECT_EQ(counted.writes[i], i == 70 ? 0u : 1u) << "block " << i;
      const checkpoint::slot* s = checkpoint::find_slot(plug.v->disk, block_nr{i});
      EXPECT_EQ(s != nullptr, i == 70 || i == 72) << "block " << i;
    }
    EXPECT_EQ(checkpoint::find_slot(plug.v->disk, block_nr{70})->state,
              checkpoint::slot_state::held);
    EXPECT_EQ(checkpoint::find_slot(plug.v->disk, block_nr{72})->state,
              checkpoint::slot_state::lost);
  });
}

// The device holds as many requests as it may, so the flush is not even queued when the device
// goes.
TEST(large_sets, are_not_proved_by_a_flush_that_was_never_sent) {
  run(1, [] {
    make_checkpoint();
    told_plug plug;
    plug.hold_blocks(1);
    block_content ours{byte{1}, byte{2}};
    buffer_head bh;
    bh.b_data = ours.data();
    bh.b_dev = plug.v->disk;
    checkpoint::issued(bh.b_dev, bh.b_blocknr);
    ll_rw_block(block_command::write, bh);
    checkpoint::written(bh.b_dev, bh.b_blocknr, {}, true);
    plug.disk->at_once = false;
    std::deque<buffer_head> reads(32);
    for (u32 i = 0; i < 32; ++i) {
      reads[i].b_data = ours.data();
      plug.disk->submit(block_command::read, lba{4 * i}, reads[i]);
    }
    const waited got = wait_in_task([&] { return checkpoint::barrier(plug.v->disk); },
                                    [&](const fiber&) { plug.disk->die(); });
    EXPECT_EQ(got.outcome, fail(error::enodev));
    EXPECT_EQ(checkpoint::held_blocks(*plug.v), 1u);
    checkpoint::pulled(*plug.v);
    plug.come_back();
  });
}

}  // namespace
