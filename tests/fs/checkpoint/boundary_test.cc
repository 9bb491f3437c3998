// The limits of the checkpoint: slots, batches, versions, tries, names that are remembered; and
// counters near the number after which they begin again.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "fs/buffer/buffer_table.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/barrier.h"
#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/story.h"
#include "fs/checkpoint/tombstone.h"
#include "fs/replug/info_files.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/files.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// --- the region

TEST(boundaries, a_region_has_whole_chunks_and_at_least_128_slots) {
  const std::pair<u32, u32> sizes[] = {{1, 128},   {127, 128}, {128, 128}, {129, 192},
                                       {191, 192}, {192, 192}, {193, 256}};
  for (const auto& [asked, expected] : sizes)
    run(1, [asked = asked, expected = expected] {
      boot({.slots = asked});
      EXPECT_EQ(checkpoint::region_size(), expected) << asked;
      EXPECT_EQ(checkpoint::unreserved(), expected);
      checkpoint::check_region_invariants();
    });
}

// Room is promised to the last slot, and to no more.
TEST(boundaries, a_reservation_may_take_the_last_slot_and_not_one_more) {
  run(1, [] {
    boot({.slots = 128});
    for (const u32 others : {96u, 97u}) {
      checkpoint::reservation first, second, third;
      ASSERT_TRUE(first.grant(others));
      EXPECT_EQ(second.grant(OPERATION_BLOCKS), others == 96) << others;
      EXPECT_EQ(checkpoint::unreserved(), others == 96 ? 0 : 31u);
      EXPECT_EQ(third.grant(31), others == 97);
      checkpoint::check_region_invariants();
    }
    EXPECT_EQ(checkpoint::unreserved(), 128u);
  });
}

// One operation may dirty 32 blocks, and 64 slots are left for other volumes; the share of the
// volume has room for exactly one more such operation, for less than one, or for more than one.
TEST(boundaries, a_writer_waits_for_a_flush_when_the_last_slots_are_too_few) {
  for (const u32 held_before : {63u, 64u, 65u})
    with_stick(1, {.buffers = 512, .slots = least_slots}, [=](medium& stick) {
      for (u32 i = 0; i < held_before; ++i) ASSERT_TRUE(fill_block(sda, i, 1));
      ASSERT_EQ(held(), held_before);
      EXPECT_EQ(stick.count(block_command::flush), 0u);
      {
        auto op = operation::begin(sda);
        ASSERT_TRUE(op);
        EXPECT_EQ(stick.count(block_command::flush) > 0, held_before > 64) << held_before;
        for (u32 i = 0; i < OPERATION_BLOCKS; ++i) ASSERT_TRUE(fill_block(sda, 200 + i, 2));
        checkpoint::check_region_invariants();
      }
      EXPECT_TRUE(sync_dev(sda));
      EXPECT_EQ(held(), 0u);
      for (u32 i = 0; i < OPERATION_BLOCKS; ++i) EXPECT_TRUE(block_is(stick.durable(), 200 + i, 2));
    });
}

// --- batches

// So many blocks are compared and written at a return, some at a time: none is left out or written
// twice, and the blocks behind them stay as they were.
TEST(boundaries, a_return_writes_every_block_however_many_there_are) {
  for (const u32 count : {63u, 64u, 65u, 127u, 128u, 129u, 255u, 256u, 257u})
    with_stick(1, {.buffers = 512, .slots = 896}, [=](medium& stick) {
      for (u32 i = 0; i < count; ++i) ASSERT_TRUE(fill_block(sda, 1 + i, 0x5A));
      pull_from(stick, sda);
      ASSERT_EQ(held(), count);
      stick.clear_log();
      plug_as(stick, sda);
      EXPECT_EQ(held(), 0u);
      u32 written = 0;
      for (const command_record& c : stick.log())
        if (c.cmd == block_command::write) written += c.sectors;
      EXPECT_EQ(written, count * SECTORS_PER_BLOCK);
      for (u32 i = 0; i < count; ++i) ASSERT_TRUE(block_is(stick.durable(), 1 + i, 0x5A)) << i;
      EXPECT_TRUE(block_is(stick.durable(), count + 1, static_cast<u8>(count + 1)));
      EXPECT_TRUE(block_is(stick.durable(), 0, 0));
    });
}

// A block that was changed elsewhere is found wherever it stands among the blocks that are read
// together.
TEST(boundaries, a_foreign_block_is_found_at_every_place_of_a_batch) {
  constexpr u32 count = 130;
  for (const u32 foreign : {1u, 63u, 64u, 65u, 66u, 128u, 129u, 130u})
    with_stick(1, {.buffers = 512, .slots = 896}, [=](medium& stick) {
      for (u32 i = 1; i <= count; ++i) ASSERT_TRUE(change_bytes(sda, i, 0, 8, 0x5A));
      pull_from(stick, sda, {.loss = cache_loss::none});
      stick.bytes()[foreign * BLOCK_SIZE + 700] ^= byte{1};
      stick.plug();
      await_state(sda, volume_state::conflict);
      EXPECT_EQ(held(), count);
      EXPECT_TRUE(checkpoint::execute_command("drop sda"));
    });
}

// The same for clean buffers in use, of which there may be more than are read together.
TEST(boundaries, buffers_in_use_are_compared_however_many_there_are) {
  for (const u32 count : {63u, 64u, 65u})
    for (const bool changed : {false, true})
      with_stick(1, {.buffers = 512}, [=](medium& stick) {
        std::vector<buffer_ref> used;
        for (u32 i = 0; i < count; ++i) used.push_back(std::move(*bread(sda, block_nr{i})));
        ASSERT_TRUE(fill_block(sda, 300, 1));
        pull_from(stick, sda);
        if (changed) stick.bytes()[(count - 1) * BLOCK_SIZE] ^= byte{1};
        stick.plug();
        await_state(sda, changed ? volume_state::conflict : volume_state::live);
        used.clear();
        if (changed) {
          EXPECT_TRUE(checkpoint::execute_command("drop sda"));
        }
      });
}

// --- tries

void fail_flushes(medium& stick, u32 times) {
  stick.fault = [times](block_command cmd, lba, u32) mutable -> std::optional<error> {
    if (cmd != block_command::flush || times == 0) return std::nullopt;
    --times;
    return error::eio;
  };
}

TEST(boundaries, a_flush_is_tried_three_times) {
  for (const u32 failures : {1u, 2u, 3u, 4u})
    with_stick([=](medium& stick) {
      ASSERT_TRUE(fill_block(sda, 5, 0x55));
      fail_flushes(stick, failures);
      EXPECT_EQ(sync_dev(sda).has_value(), failures < 3) << failures;
      EXPECT_EQ(held(), failures < 3 ? 0u : 1u);
      stick.fault = {};
      EXPECT_TRUE(sync_dev(sda));
      EXPECT_EQ(held(), 0u);
      EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
    });
}

// After the third failed flush the stick counts as broken: the blocks are kept, and written by the
// next flush that succeeds.
TEST(boundaries, a_replay_flushes_three_times) {
  for (const u32 failures : {1u, 2u, 3u, 4u})
    with_stick([=](medium& stick) {
      ASSERT_TRUE(fill_block(sda, 5, 0x55));
      pull_from(stick, sda);
      fail_flushes(stick, failures);
      stick.plug();
      sleep_for(5_s);
      EXPECT_EQ(state_of(sda), failures < 3 ? volume_state::live : volume_state::degraded);
      EXPECT_EQ(held(), failures < 3 ? 0u : 1u);
      EXPECT_EQ(said("does not take 1 block"), failures >= 3);
      if (failures >= 3) {
        stick.fault = {};
        EXPECT_TRUE(sync_dev(sda));
      }
      EXPECT_EQ(held(), 0u);
      EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
    });
}

// --- names that are remembered

// The fifth content that the medium may have needs a flush: four are remembered. When the flush
// fails, any content may stand there, and none has to be remembered.
void change_a_fifth_time(const std::function<result<void>()>& change, bool flush_fails) {
  with_stick([&](medium& stick) {
    for (u8 content = 1; content <= checkpoint::NR_VERSIONS; ++content) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, content));
      ASSERT_TRUE(write_buffers(sda));
    }
    EXPECT_EQ(stick.count(block_command::flush), 0u) << "the first one is what stood there";
    if (flush_fails) fail_flushes(stick, 1);
    EXPECT_OK(change());
    EXPECT_EQ(stick.count(block_command::flush), flush_fails ? 2u : 1u) << "it is tried again";
    stick.fault = {};
    EXPECT_OK(sys_sync());
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{0x77});
  });
}

TEST(boundaries, a_fifth_content_needs_a_flush) {
  for (const bool flush_fails : {false, true}) {
    change_a_fifth_time([] { return change_bytes(sda, 5, 0, 10, 0x77); }, flush_fails);
    change_a_fifth_time([] { return fill_block(sda, 5, 0x77); }, flush_fails);
  }
}

// The files behind the 64th have no name any more when their blocks are lost: their blocks are
// counted as those of further files, and the names of the others are right.
TEST(boundaries, blocks_of_the_files_behind_the_64th_are_counted) {
  for (const u32 files : {63u, 64u, 65u, 66u})
    with_stick([=](medium& stick) {
      ASSERT_TRUE(fill_block(sda, 100, 1));  // of the file system itself
      for (u32 i = 1; i <= files; ++i)
        ASSERT_TRUE(fill_block(sda, i, 1, ino_nr{static_cast<u16>(i)},
                               "/mnt/file" + std::to_string(i) + "."));
      pull_from(stick, sda);
      EXPECT_TRUE(checkpoint::execute_command("drop sda"));
      EXPECT_EQ(held(), 0u);
      for (u32 i = 1; i <= 66; ++i)
        EXPECT_EQ(said("/mnt/file" + std::to_string(i) + ". (1 block)"), i <= files && i <= 64)
            << i << " of " << files;
      EXPECT_TRUE(said("LOST: 1 block of directories and of the file system itself"));
      EXPECT_EQ(said("LOST: 1 block of further files"), files == 65);
      EXPECT_EQ(said("LOST: 2 blocks of further files"), files == 66);
    });
}

media_identity stick_of(u32 number) {
  media_identity identity;
  identity.sectors = 1000 + number;
  return identity;
}

TEST(boundaries, the_last_eight_sticks_that_were_given_up_are_remembered) {
  for (const u32 count : {7u, 8u, 9u, 17u})
    run(1, [=] {
      for (u32 i = 0; i < count; ++i) checkpoint::bury(stick_of(i), {}, i + 1);
      for (u32 i = 0; i < count; ++i)
        EXPECT_EQ(checkpoint::buried_blocks(stick_of(i), {}), i + 8 >= count ? i + 1 : 0)
            << i << " of " << count;
    });
}

// A stick that has come back makes room, and one that is given up twice takes one place: no other
// one of the last eight is forgotten for them.
TEST(boundaries, eight_sticks_are_remembered_although_some_came_back) {
  run(1, [] {
    for (u32 i = 0; i < 8; ++i) checkpoint::bury(stick_of(i), {}, 1);
    for (const u32 back : {7u, 3u, 5u}) checkpoint::forget_tombstone(stick_of(back), {});
    for (const u32 fresh : {10u, 11u, 12u}) checkpoint::bury(stick_of(fresh), {}, 2);
    for (const u32 kept : {0u, 1u, 2u, 4u, 6u})
      EXPECT_EQ(checkpoint::buried_blocks(stick_of(kept), {}), 1u) << kept;
    for (int i = 0; i < 10; ++i) checkpoint::bury(stick_of(6), {}, 1);
    EXPECT_EQ(checkpoint::buried_blocks(stick_of(6), {}), 11u);
    for (const u32 kept : {0u, 1u, 2u, 4u})
      EXPECT_EQ(checkpoint::buried_blocks(stick_of(kept), {}), 1u) << kept;
    for (const u32 kept : {10u, 11u, 12u})
      EXPECT_EQ(checkpoint::buried_blocks(stick_of(kept), {}), 2u) << kept;
    checkpoint::bury(stick_of(20), {}, 3);
    EXPECT_EQ(checkpoint::buried_blocks(stick_of(0), {}), 0u) << "the oldest is replaced";
    EXPECT_EQ(checkpoint::buried_blocks(stick_of(1), {}), 1u);
  });
}

// --- the story

TEST(boundaries, the_story_keeps_the_last_4096_events) {
  for (const u32 begin : {0u, 0xFFFF'FFF0u})
    for (const u32 count : {4095u, 4096u, 4097u})
      run(1, [=] {
        story::told = begin;
        for (u32 i = 0; i < count; ++i) story::tell(story::event::dirtied, sda, block_nr{i}, i);
        EXPECT_EQ(story::told, begin + count);
        u32 newest = 0, oldest = ~0u, kept = 0;
        for (const story::record& r : story::records) {
          if (r.what != story::event::dirtied) continue;
          ++kept;
          newest = std::max(newest, r.detail);
          oldest = std::min(oldest, r.detail);
        }
        EXPECT_EQ(kept, std::min(count, 4096u));
        EXPECT_EQ(newest, count - 1);
        EXPECT_EQ(oldest, count > 4096 ? count - 4096 : 0u);
        std::ranges::fill(story::records, story::record{});  // these things never happened
        story::told = 0;
      });
}

// --- counters near their end

// The number of completed writes goes past 2^32, at each kind of moment of the way of a block:
// every block becomes durable and gives its slot back, also over a lost cache and a pull.
TEST(boundaries, writes_are_numbered_beyond_32_bits) {
  constexpr u64 end = u64{1} << 32;
  for (u32 before = 0; before < 12; ++before)
    with_stick([=](medium& stick) {
      checkpoint::volume& v = *checkpoint::volume_of(sda);
      v.last_stamp = v.flushed_stamp =
          checkpoint::write_stamp(static_cast<checkpoint::write_stamp::rep>(end - before));
      for (u32 i = 0; i < 4; ++i) ASSERT_TRUE(change_bytes(sda, i, 0, 10, 0x55));
      ASSERT_TRUE(write_buffers(sda));
      for (u32 i = 0; i < 2; ++i) ASSERT_TRUE(change_bytes(sda, i, 0, 10, 0x66));
      fail_flushes(stick, 1);
      EXPECT_TRUE(sync_dev(sda));
      EXPECT_EQ(held(), 0u) << before;
      for (u32 i = 0; i < 4; ++i) {
        EXPECT_EQ(stick.durable()[i * BLOCK_SIZE], byte{i < 2 ? u8{0x66} : u8{0x55}});
        ASSERT_TRUE(change_bytes(sda, i, 0, 10, 0x77));
      }
      ASSERT_TRUE(write_buffers(sda));
      pull_from(stick, sda, {.loss = cache_loss::all});
      plug_as(stick, sda);
      EXPECT_EQ(held(), 0u) << before;
      for (u32 i = 0; i < 4; ++i) EXPECT_EQ(stick.durable()[i * BLOCK_SIZE], byte{0x77}) << before;
      checkpoint::check_region_invariants();
    });
}

// The counter of lost caches goes past its end: each loss is noticed, as the one before it.
TEST(boundaries, lost_caches_are_counted_past_the_end_of_the_counter) {
  for (const u32 before : {1u, 2u})
    with_stick([=](medium& stick) {
      checkpoint::volume& v = *checkpoint::volume_of(sda);
      ASSERT_TRUE(sync_dev(sda));
      // The device's own counter cannot be set; only the difference between both is looked at.
      v.caches_lost = stick.device().caches_lost() - before;
      ASSERT_TRUE(fill_block(sda, 5, 0x55));
      EXPECT_TRUE(sync_dev(sda));
      EXPECT_EQ(v.caches_lost, stick.device().caches_lost());
      EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
      EXPECT_EQ(held(), 0u);
    });
}

}  // namespace
