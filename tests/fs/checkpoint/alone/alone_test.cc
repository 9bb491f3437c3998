// The checkpoint by itself: no cache above it, no file system. This file is linked twice: into all
// host tests, and into a program with the checkpoint, the block layer and the simulated machine
// alone (tests/host.mk), which shows that it needs nothing else.
//
// What the cache would do for a block, `toy_cache` does for its few blocks by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "drivers/block/ll_rw_block.h"
#include "drivers/block/media_event.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/change.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/checkpoint/listener.h"
#include "fs/checkpoint/replay.h"
#include "fs/checkpoint/shadow.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/volume.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/alone/pin.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"

namespace {

using namespace sim;
using checkpoint::volume;
using checkpoint::volume_state;

constexpr u32 stick_blocks = 64;
constexpr dev_id sda(8, 0);

// One block in memory, as a cache holds it.
struct toy_buffer {
  buffer_head head;
  std::array<byte, BLOCK_SIZE> bytes{};
};

void tell_written(buffer_head& bh, bool write, result<void> outcome) {
  if (write) checkpoint::written(bh.b_dev, bh.b_blocknr, outcome, bh.b_sent);
}

class toy_cache {
 public:
  explicit toy_cache(u32 count) : buffers_(count) {
    for (u32 i = 0; i < count; ++i) {
      buffer_head& bh = buffers_[i].head;
      bh.b_data = buffers_[i].bytes.data();
      bh.b_dev = sda;
      bh.b_blocknr = block_nr{i};
      bh.b_uptodate = true;
      bh.b_end_io = tell_written;
    }
  }

  result<void> change(operation& op, u32 block, u8 value) {
    toy_buffer& buffer = buffers_[block];
    for (;;) {
      auto change =
          checkpoint::begin_change(op, block_nr{block}, buffer.bytes, !buffer.head.b_dirt);
      if (!change.allowed()) {
        TRY(checkpoint::wait_to_change(op, block_nr{block}));
        continue;
      }
      buffer.bytes.fill(byte{value});
      story::tell(story::event::dirtied, sda, block_nr{block}, BLOCK_SIZE);
      buffer.head.b_dirt = std::move(change).finish(buffer.bytes, 0, BLOCK_SIZE);
      return {};
    }
  }
  void write(u32 block) {
    buffer_head& bh = buffers_[block].head;
    checkpoint::issued(sda, block_nr{block});
    ll_rw_block(block_command::write, bh);
    wait_on_buffer(bh);
  }
  bool is_dirty(u32 block) const { return buffers_[block].head.b_dirt; }
  u32 let_go() {
    u32 dirty = 0;
    for (toy_buffer& b : buffers_) dirty += std::exchange(b.head.b_dirt, false);
    return dirty;
  }
  void discard() {
    for (toy_buffer& b : buffers_) b.head.b_dirt = b.head.b_uptodate = false;
  }

 private:
  std::vector<toy_buffer> buffers_;
};

// What the checkpoint has asked for, and the one cache of the world.
struct above {
  toy_cache* cache = nullptr;
  std::vector<dev_id> rooms_made;
  u32 losses_told = 0;
  u32 discards = 0;
  block_device* last_arrival = nullptr;
};
above* it = nullptr;

result<void> make_room(dev_id disk) {
  it->rooms_made.push_back(disk);
  for (u32 i = 0; i < stick_blocks; ++i)
    if (it->cache->is_dirty(i)) it->cache->write(i);
  return checkpoint::barrier(disk);
}

void arrive(block_device& device) { it->last_arrival = &device; }

void leave(block_device& device) {
  for (volume& v : checkpoint::all_volumes())
    if (v.state == volume_state::live && v.device == &device) checkpoint::pulled(v);
}

partition_table whole(const block_device& device) {
  partition_table table{};
  table[0] = {lba{}, device.identity.sectors, 0};
  return table;
}

// A world with the checkpoint and a stick that has got its name.
void with_checkpoint(const std::function<void(medium&, toy_cache&, volume&)>& body) {
  medium stick(stick_blocks * SECTORS_PER_BLOCK);
  run(1, [&] {
    toy_cache cache(stick_blocks);
    above state;
    state.cache = &cache;
    it = &state;
    {
      const kept_memory for_ever;
      checkpoint::init(128);
    }
    checkpoint::set_listener({.make_room = make_room,
                              .let_go = [](dev_id) { return it->cache->let_go(); },
                              .discard = [](dev_id) { ++it->discards, it->cache->discard(); },
                              .tell_refusal = [](dev_id, block_nr, ino_nr) {},
                              .tell_health = [](const checkpoint::volume&) {},
                              .tell_loss = [](const volume&) { ++it->losses_told; }});
    set_media_listener({arrive, leave});
    stick.plug();
    while (!it->last_arrival) sleep_for(1_ms);
    volume* v = checkpoint::arrived(*it->last_arrival, whole(*it->last_arrival));
    ASSERT_TRUE(v);
    body(stick, cache, *v);
    checkpoint::check_region_invariants();
    if (stick.plugged()) stick.pull();
    sleep_for(1_s);
    if (checkpoint::is_missing(*v)) checkpoint::dropped(*v);
    it = nullptr;
  });
}

void fill(toy_cache& cache, u32 block, u8 value) {
  auto op = operation::begin(sda);
  ASSERT_TRUE(op);
  ASSERT_TRUE(cache.change(*op, block, value));
}

bool holds(const medium& stick, u32 block, u8 value) {
  const auto bytes = stick.durable().subspan(size_t{block} * BLOCK_SIZE, BLOCK_SIZE);
  return std::ranges::all_of(bytes, [&](byte b) { return b == byte{value}; });
}

TEST(checkpoint_alone, a_block_is_held_until_a_flush_has_made_it_durable) {
  with_checkpoint([](medium& stick, toy_cache& cache, volume& v) {
    fill(cache, 5, 0x55);
    EXPECT_TRUE(cache.is_dirty(5));
    EXPECT_EQ(checkpoint::held_blocks(v), 1u);
    cache.write(5);
    EXPECT_FALSE(cache.is_dirty(5));
    EXPECT_EQ(checkpoint::held_blocks(v), 1u) << "written is not durable";
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(checkpoint::held_blocks(v), 0u);
    EXPECT_TRUE(holds(stick, 5, 0x55));
  });
}

TEST(checkpoint_alone, a_pulled_set_goes_out_at_the_replay) {
  with_checkpoint([](medium& stick, toy_cache& cache, volume& v) {
    fill(cache, 5, 0x55);
    cache.write(5);
    fill(cache, 6, 0x66);
    stick.pull();
    while (v.state == volume_state::live) sleep_for(1_ms);
    EXPECT_FALSE(cache.is_dirty(6)) << "the region has what it held";
    EXPECT_EQ(checkpoint::held_blocks(v), 2u);
    std::array<byte, BLOCK_SIZE> restored{};
    EXPECT_TRUE(checkpoint::restore(sda, block_nr{6}, restored));
    EXPECT_EQ(restored[0], byte{0x66});
    block_device* const before = std::exchange(it->last_arrival, nullptr);
    stick.plug();
    while (!it->last_arrival) sleep_for(1_ms);
    EXPECT_NE(it->last_arrival, before) << "another plug";
    {
      const checkpoint::verification verifying(v);
      story::tell_stick(story::event::verified, v.disk);
      const auto summary = checkpoint::replay(v, *it->last_arrival);
      ASSERT_TRUE(summary);
      EXPECT_EQ(summary->blocks, 2u);
    }
    EXPECT_EQ(v.state, volume_state::live);
    EXPECT_EQ(checkpoint::held_blocks(v), 0u);
    EXPECT_TRUE(holds(stick, 5, 0x55) && holds(stick, 6, 0x66));
  });
}

TEST(checkpoint_alone, a_full_region_asks_those_above_to_make_room) {
  with_checkpoint([](medium&, toy_cache& cache, volume&) {
    for (u32 round = 0; round < 2; ++round)
      for (u32 i = 0; i < stick_blocks; ++i) fill(cache, i, static_cast<u8>(round + 1));
    EXPECT_TRUE(it->rooms_made.empty()) << "64 are left for others";
    std::vector<operation> many;
    for (u32 i = 0; i < 3; ++i) {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      many.push_back(std::move(*op));
      // An operation of a task stands for all that it begins on the disk: other tasks need more.
      auto other = spawn("other", [] { EXPECT_TRUE(operation::begin(sda)); });
      other.join();
    }
    auto second = spawn("second", [] {
      auto a = operation::begin(sda);
      EXPECT_TRUE(a);
      auto third = spawn("third", [] { EXPECT_TRUE(operation::begin(sda)); });
      third.join();
    });
    second.join();
    EXPECT_EQ(it->rooms_made, std::vector<dev_id>{sda});
  });
}

TEST(checkpoint_alone, what_is_given_up_is_told_before_it_is_discarded) {
  with_checkpoint([](medium& stick, toy_cache& cache, volume& v) {
    fill(cache, 5, 0x55);
    sim::pin(sda);
    stick.pull();
    while (v.state == volume_state::live) sleep_for(1_ms);
    checkpoint::dropped(v);
    EXPECT_EQ(it->losses_told, 1u);
    EXPECT_EQ(it->discards, 1u);
    EXPECT_EQ(v.state, volume_state::dead);
    EXPECT_FALSE(operation::begin(sda));
    sim::unpin(sda);
    EXPECT_EQ(v.state, volume_state::none);
  });
}

// The device drops its cache with the error of a flush, and takes the next flush: that one alone
// would prove nothing.
TEST(checkpoint_alone, what_a_failed_flush_may_have_lost_is_written_again) {
  with_checkpoint([](medium& stick, toy_cache& cache, volume& v) {
    fill(cache, 5, 0x55);
    cache.write(5);
    int failures = 0;
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (cmd != block_command::flush || failures++ > 0) return {};
      stick.forget_cache();
      stick.device().cache_lost();
      return error::eio;
    };
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(stick.count(block_command::write), 2u);
    EXPECT_EQ(checkpoint::held_blocks(v), 0u);
    EXPECT_TRUE(holds(stick, 5, 0x55));
  });
}

// It drops the cache each time: the barrier fails, the block stays held and is written again by the
// next barrier, although the cache above has it clean.
TEST(checkpoint_alone, a_barrier_that_fails_leaves_the_block_to_the_next_one) {
  with_checkpoint([](medium& stick, toy_cache& cache, volume& v) {
    fill(cache, 5, 0x55);
    cache.write(5);
    bool broken = true;
    stick.fault = [&](block_command cmd, lba, u32) -> std::optional<error> {
      if (!broken) return {};
      if (cmd == block_command::write) return error::eio;  // the block is refused now
      stick.forget_cache();
      stick.device().cache_lost();
      return error::eio;
    };
    EXPECT_EQ(checkpoint::barrier(sda), fail(error::eio));
    EXPECT_EQ(checkpoint::barrier(sda), fail(error::eio));
    EXPECT_EQ(checkpoint::held_blocks(v), 1u);
    EXPECT_FALSE(cache.is_dirty(5));
    broken = false;
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(checkpoint::held_blocks(v), 0u);
    EXPECT_TRUE(holds(stick, 5, 0x55));
  });
}

// While the region writes a lost block, the cache changes the block and writes it as well. The end
// of the region's write says nothing of the cache's.
TEST(checkpoint_alone, the_end_of_the_regions_write_is_not_taken_for_the_caches) {
  with_checkpoint([](medium& stick, toy_cache& cache, volume& v) {
    fill(cache, 5, 0x55);
    cache.write(5);
    stick.device().cache_lost();
    stick.least_latency = stick.most_latency = 10_ms;
    auto barrier = spawn("barrier", [] { EXPECT_TRUE(checkpoint::barrier(sda)); });
    // A flush that proves nothing, then the region's write.
    while (checkpoint::find_slot(sda, block_nr{5})->state != checkpoint::slot_state::rewriting)
      sleep_for(100_us);
    fill(cache, 5, 0x66);
    auto writer = spawn("writer", [&] { cache.write(5); });
    while (checkpoint::find_slot(sda, block_nr{5})->state != checkpoint::slot_state::issued)
      sleep_for(10_us);
    EXPECT_EQ(stick.count(block_command::write), 1u) << "both are under way";
    while (stick.count(block_command::write) < 2) sleep_for(100_us);
    EXPECT_NE(checkpoint::find_slot(sda, block_nr{5})->state, checkpoint::slot_state::written);
    writer.join();
    barrier.join();
    EXPECT_TRUE(checkpoint::barrier(sda));
    EXPECT_EQ(checkpoint::held_blocks(v), 0u);
    EXPECT_TRUE(holds(stick, 5, 0x66));
  });
}

}  // namespace
