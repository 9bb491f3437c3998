// The checkpoint's rules 1 to 4 (docs/checkpoint.md), each by its number, on bare blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "fs/checkpoint/operation.h"
#include "fs/checkpoint/region.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace {

using namespace sim;
using volume_state = checkpoint::volume_state;

// So that what comes next is read from the stick.
void drop_clean_cache() { drop_clean_buffers(sda); }

// --- 1: a slot is reserved before a block is dirtied; a full region makes the writer wait for a
// flush

TEST(rule_1, an_operation_reserves_its_room_and_gives_back_the_rest) {
  with_stick([](medium&) {
    const u32 before = checkpoint::unreserved();
    {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS);
      auto inner = operation::begin(sda);
      ASSERT_TRUE(inner);
      EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS) << "it shares the room";
    }
    EXPECT_EQ(checkpoint::unreserved(), before);
    ASSERT_TRUE(fill_block(sda, 3, 1));
    EXPECT_EQ(checkpoint::unreserved(), before - 1) << "one block is held now";
  });
}

TEST(rule_1, a_full_region_makes_the_writer_flush_the_volume) {
  with_stick(1, {.buffers = 512, .slots = least_slots}, [](medium& stick) {
    for (u32 i = 0; i < 2 * least_slots; ++i) ASSERT_TRUE(fill_block(sda, i, 0x5A)) << i;
    EXPECT_GT(stick.count(block_command::flush), 0u);
    EXPECT_LE(held(), least_slots);
  });
}

TEST(rule_1, many_operations_at_once_never_overdraw_the_region) {
  for_each_seed(10, [](u64 seed) {
    with_stick(seed, {.buffers = 512, .slots = least_slots}, [](medium&) {
      in_parallel(12, [](u32 part) {
        for (u32 i = 0; i < 20; ++i) EXPECT_TRUE(fill_block(sda, part * 20 + i, 1));
      });
      EXPECT_TRUE(sync_dev(sda));
      EXPECT_EQ(held(), 0u);
    });
  });
}

// A slot stays charged to the operation that took it. When a barrier gives it back under way, the
// operation may take it again, as often as it likes; and no other operation gets its room.
TEST(rule_1, an_operation_may_dirty_a_block_again_that_became_durable_meanwhile) {
  with_stick([](medium&) {
    const u32 before = checkpoint::unreserved();
    {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      for (u32 i = 0; i < 3 * OPERATION_BLOCKS; ++i) {
        ASSERT_TRUE(change_bytes(sda, 5, 0, 10, static_cast<u8>(i)));
        ASSERT_TRUE(flush_buffers(sda));
        EXPECT_EQ(held(), 0u);
        EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS) << i;
        checkpoint::check_region_invariants();
      }
      for (u32 i = 0; i < OPERATION_BLOCKS; ++i) ASSERT_TRUE(fill_block(sda, i, 1)) << i;
      EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS);
    }
    EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS) << "the blocks are held";
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(checkpoint::unreserved(), before);
    checkpoint::check_region_invariants();
  });
}

// The same for a block that is freed: what was promised for it is promised still.
TEST(rule_1, the_room_of_a_freed_block_goes_back_to_its_operation) {
  with_stick([](medium&) {
    const u32 before = checkpoint::unreserved();
    {
      auto op = operation::begin(sda);
      ASSERT_TRUE(op);
      for (u32 i = 0; i < 3 * OPERATION_BLOCKS; ++i) {
        ASSERT_TRUE(fill_block(sda, i, 1));
        forget_block(sda, block_nr{i});
        EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS) << i;
      }
    }
    EXPECT_EQ(checkpoint::unreserved(), before);
    checkpoint::check_region_invariants();
  });
}

// What an operation has taken is its own no more once it has ended: another may be promised the
// room when a flush gives it back.
TEST(rule_1, the_room_of_an_ended_operation_is_everybodys) {
  with_stick([](medium&) {
    const u32 before = checkpoint::unreserved();
    ASSERT_TRUE(fill_block(sda, 5, 1));
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 2));
    ASSERT_TRUE(flush_buffers(sda));
    EXPECT_EQ(checkpoint::unreserved(), before - OPERATION_BLOCKS);
    checkpoint::check_region_invariants();
  });
}

// Removing a file with very many indirect blocks dirties the bitmap again and again, while another
// process' writes make the cache flush under way; and while the contact of the stick is bad.
TEST(rule_1, a_long_removal_stays_inside_its_room) {
  for (const bool pulled : {false, true}) {
    medium stick(mkfs_minix(4096));
    run(1, [&] {
      session process(boot_with_root({.buffers = pulled ? 256u : 64u, .slots = 2048}));
      plug_as(stick, sda);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.write("/mnt/holes", "x"));
      for (u32 i = 0; i < 500; ++i)
        ASSERT_TRUE(process.write_at("/mnt/holes", (519 + i * 512) * 1024, "y"));
      ASSERT_TRUE(process.write("/mnt/data", pattern(500'000, 1)));
      ASSERT_TRUE(sys_sync());
      drop_clean_cache();
      const fiber remover = spawn("rm", [&] {
        session mine = process.fork();
        EXPECT_TRUE(mine.unlink("/mnt/holes"));
      });
      while (!remover.ended()) {
        if (pulled) {
          sleep_for(5_ms);
          pull_from(stick, sda);
          sleep_for(10_ms);
          plug_as(stick, sda);
        } else {
          ASSERT_TRUE(process.overwrite("/mnt/data", pattern(500'000, 2)));
        }
      }
      EXPECT_TRUE(process.umount());
      checkpoint::check_region_invariants();
    });
    EXPECT_EQ(minix_image(stick.durable()).problem_text(), "");
  }
}

// --- 2: a shadow holds the content as of the last completed modification

TEST(rule_2, the_shadow_follows_every_modification) {
  with_stick([](medium&) {
    for (u8 value : {u8{1}, u8{2}, u8{3}}) {
      ASSERT_TRUE(change_bytes(sda, 5, 100, 50, value));
      const checkpoint::slot* slot = checkpoint::find_slot(sda, block_nr{5});
      ASSERT_TRUE(slot);
      EXPECT_EQ(slot->bytes()[120], byte{value});
      EXPECT_EQ(slot->bytes()[99], byte{5});
      EXPECT_EQ(slot->bytes()[150], byte{5});
    }
    EXPECT_EQ(held(), 1u);
  });
}

// --- 3: released only when the content is durable

TEST(rule_3, a_completed_write_alone_releases_nothing) {
  with_stick([](medium& stick) {
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
    };
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    EXPECT_FALSE(sync_dev(sda));
    EXPECT_GE(stick.count(block_command::write), 1u);
    EXPECT_EQ(held(), 1u);
    stick.fault = {};
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(held(), 0u);
  });
}

TEST(rule_3, what_is_changed_during_the_flush_stays_held) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    stick.least_latency = stick.most_latency = 50_ms;
    auto syncing = spawn("sync", [] { EXPECT_TRUE(sync_dev(sda)); });
    sleep_for(110_ms);  // the write is done, the flush under way
    ASSERT_TRUE(fill_block(sda, 5, 0x66));
    syncing.join();
    EXPECT_EQ(held(), 1u);
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x66));
  });
}

TEST(rule_3, a_flush_that_the_pull_overtakes_releases_nothing) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    stick.pull_at(stick.steps() + 5, {.loss = cache_loss::all});  // the first step of the flush
    (void)sync_dev(sda);
    await_state(sda, volume_state::absent);
    EXPECT_EQ(held(), 1u);
    plug_as(stick, sda);
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
  });
}

// A stick that has reset itself may have lost its cache: its next flush proves nothing.
TEST(rule_3, a_lost_write_cache_is_written_once_more) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    bool reset = false;
    stick.fault = [&](block_command cmd, lba, u32) {
      if (cmd == block_command::flush && !reset) {
        reset = true;
        stick.device().cache_lost();
        stick.forget_cache();
      }
      return std::optional<error>();
    };
    EXPECT_TRUE(sync_dev(sda));
    EXPECT_TRUE(block_is(stick.durable(), 5, 0x55));
    EXPECT_EQ(held(), 0u);
  });
}

// --- 4: the sealed set

TEST(rule_4, new_operations_wait_for_the_stick) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    auto writer = spawn("writer", [] { EXPECT_TRUE(fill_block(sda, 6, 0x66)); });
    sleep_for(10_s);
    EXPECT_FALSE(writer.ended());
    EXPECT_EQ(held(), 1u) << "the set cannot grow";
    plug_as(stick, sda);
    writer.join();
  });
}

TEST(rule_4, but_no_longer_than_io_wait) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_EQ(fill_block(sda, 6, 0x66).error(), error::eio);
    EXPECT_EQ(now() - before, 30_s);
    EXPECT_EQ(held(), 1u);
  });
}

TEST(rule_4, and_interruptibly) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    auto writer = spawn("writer", [] { EXPECT_EQ(fill_block(sda, 6, 1).error(), error::eintr); });
    auto reader = spawn("reader", [] { EXPECT_EQ(byte_of(sda, 200).error(), error::eintr); });
    sleep_for(1_s);
    writer.signal();
    reader.signal();
    writer.join();
    reader.join();
  });
}

TEST(rule_4, an_operation_that_had_begun_completes) {
  with_stick([](medium& stick) {
    auto op = operation::begin(sda);
    ASSERT_TRUE(op);
    auto buffer = getblk(sda, block_nr{7});
    ASSERT_TRUE(buffer);
    pull_from(stick, sda);
    EXPECT_TRUE(buffer->overwrite(
        *op, [](std::span<byte> bytes) { std::ranges::fill(bytes, byte{0x77}); }));
    EXPECT_EQ(held(), 1u);
    *buffer = buffer_ref();
    { const operation ended = std::move(*op); }
    plug_as(stick, sda);
    EXPECT_TRUE(block_is(stick.durable(), 7, 0x77));
  });
}

TEST(rule_4, cached_and_held_blocks_are_read_on) {
  with_stick([](medium& stick) {
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    EXPECT_EQ(byte_of(sda, 9), 9);
    pull_from(stick, sda);
    const instant before = now();
    EXPECT_EQ(byte_of(sda, 5), 0x55);
    EXPECT_EQ(byte_of(sda, 9), 9);
    EXPECT_EQ(now(), before) << "nobody waited";
  });
}

// A block that was written is read back, also when its buffer was given to another block.
TEST(rule_4, a_held_block_is_read_from_the_region) {
  with_stick(1, {.buffers = 64}, [](medium& stick) {
    medium other(numbered_blocks * SECTORS_PER_BLOCK, "OTHER");
    ASSERT_TRUE(fill_block(sda, 5, 0x55));
    pull_from(stick, sda);
    plug_as(other, sdb);
    for (u32 i = 0; i < 100; ++i) ASSERT_TRUE(byte_of(sdb, i));
    EXPECT_EQ(byte_of(sda, 5, 1023), 0x55);
  });
}

}  // namespace
