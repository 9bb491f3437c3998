// The table of buffers (fs/buffer/buffer_table.h), what invalidates them (invalidate.h), and the
// answers of the calls that do not wait.
#include "fs/buffer/buffer_table.h"

#include <gtest/gtest.h>

#include <set>

#include "fs/buffer/buffer.h"
#include "fs/buffer/invalidate.h"
#include "fs/buffer/write_buffers.h"
#include "hal/clock.h"
#include "tests/fs/buffer/buffers.h"
#include "tests/sim/memory.h"

namespace {

using namespace sim;

u32 buffers_made(u32 pages, u32 wanted) {
  u32 made = 0;
  world w({.pages = pages});
  w.run([&] {
    const kept_memory for_ever;
    buffer_init(wanted, list_policy());
    made = buffer_total();
    std::set<const byte*> blocks;
    for (u32 i = 0; i < made; ++i) {
      const buffer_head& bh = buffer_at(i);
      blocks.insert(bh.b_data);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(bh.b_data) % BLOCK_SIZE, 0u);
      bh.b_data[0] = bh.b_data[BLOCK_SIZE - 1] = byte{1};
    }
    EXPECT_EQ(blocks.size(), made) << "two heads share a block";
    EXPECT_EQ(count_buffers().clean, made);
    check_buffer_invariants();
  });
  return made;
}

TEST(buffer_table, has_a_quarter_of_memory_or_what_is_asked_for) {
  EXPECT_EQ(buffers_made(1024, 0), 1024u);
  EXPECT_EQ(buffers_made(1024, 1), 64u) << "not less";
  EXPECT_EQ(buffers_made(1024, 65), 65u);
  EXPECT_EQ(buffers_made(1024, 200), 200u);
  EXPECT_EQ(buffers_made(12000, 40000), 32768u) << "not more";
  EXPECT_EQ(buffers_made(50, 1000), 128u) << "memory ends";
}

TEST(buffer_table, knows_the_disk_of_each_device) {
  EXPECT_EQ(disk_index(dev_id(1, 0)), 0u);
  EXPECT_EQ(disk_index(dev_id(8, 0)), 1u);
  EXPECT_EQ(disk_index(dev_id(8, 15)), 1u);
  EXPECT_EQ(disk_index(dev_id(8, 16)), 2u);
  EXPECT_EQ(disk_index(dev_id(8, 127)), 8u);
  EXPECT_EQ(disk_index(dev_id(8, 128)), 0u) << "no such disk";
  std::vector<dev_id> disks;
  for_each_disk([&](dev_id disk) { disks.push_back(disk); });
  ASSERT_EQ(disks.size(), 9u);
  EXPECT_EQ(disks[0], dev_id(1, 0));
  EXPECT_EQ(disks[1], sda);
  EXPECT_EQ(disks[2], sdb);
  EXPECT_EQ(disks[8], dev_id(8, 112));
  EXPECT_EQ(&find_buffer_policy("0.11"), &ring_policy());
  EXPECT_EQ(&find_buffer_policy(""), &list_policy());
}

TEST(buffer_table, keeps_the_first_write_error_of_each_disk) {
  run(1, [] {
    EXPECT_TRUE(take_write_error(sda));
    note_write_error(sda, error::eio);
    note_write_error(dev_id(8, 3), error::erofs);
    note_write_error(sdb, error::erofs);
    EXPECT_TRUE(take_write_error(dev_id(1, 0)));
    EXPECT_EQ(take_write_error(dev_id(8, 1)), fail(error::eio));
    EXPECT_TRUE(take_write_error(sda)) << "told once";
    EXPECT_EQ(take_write_error(sdb), fail(error::erofs));
    EXPECT_TRUE(take_write_error(sdb));
  });
}

TEST_P(buffers, are_counted_by_what_they_are) {
  with_stick(1, [](medium& stick) {
    ASSERT_TRUE(change_bytes(sda, 3, 0, 1, 1));
    ASSERT_TRUE(change_bytes(sda, 5, 0, 1, 1));
    const auto used = bread(sda, block_nr{7});
    const auto dirty_and_used = bread(sda, block_nr{5});
    stick.least_latency = stick.most_latency = 500_ms;
    ASSERT_TRUE(start_read(sda, block_nr{9}));
    const buffer_counts counts = count_buffers();
    EXPECT_EQ(counts.total, buffer_total());
    EXPECT_EQ(counts.dirty, 2u);
    EXPECT_EQ(counts.in_use, 2u);
    EXPECT_EQ(counts.locked, 1u);
    EXPECT_EQ(counts.clean, buffer_total() - 4);
  });
}

TEST_P(buffers, read_ahead_says_whether_the_block_will_be_there) {
  with_stick(1, [](medium& stick) {
    stick.clear_log();
    EXPECT_FALSE(start_read(sda, block_nr{blocks})) << "past the end";
    EXPECT_TRUE(start_read(sda, block_nr{blocks - 1}));
    EXPECT_TRUE(start_read(sda, block_nr{blocks - 1})) << "under way";
    EXPECT_EQ(byte_of(sda, blocks - 1), static_cast<u8>(blocks - 1));
    EXPECT_TRUE(start_read(sda, block_nr{blocks - 1})) << "in the cache";
    EXPECT_EQ(stick.count(block_command::read), 1u);
    ASSERT_TRUE(fill_block(sda, 3, 9));
    pull_from(stick, sda);
    EXPECT_TRUE(start_read(sda, block_nr{3})) << "in the cache";
    EXPECT_FALSE(start_read(sda, block_nr{4})) << "the stick is away";
    EXPECT_FALSE(start_read(sda, block_nr{blocks})) << "away, and past the end";
    EXPECT_EQ(count_buffers().in_use, 0u);
    sleep_for(1_s);
    plug_as(stick, sda);
  });
}

// Uptodate or not, by block.
std::string uptodate(dev_id dev, std::initializer_list<u32> blocks_of_dev) {
  std::string marks;
  for (u32 b : blocks_of_dev) {
    const buffer_head* bh = find_buffer(dev, block_nr{b});
    marks += !bh ? '-' : bh->b_uptodate ? 'u' : 'n';
  }
  return marks;
}

TEST_P(buffers, are_dropped_when_they_are_free_and_not_kept) {
  medium other(64, "SIM2");
  with_stick(1, [&](medium&) {
    plug_as(other, sdb);
    for (u32 b : {1u, 2u, 3u, 4u}) ASSERT_TRUE(byte_of(sda, b));
    ASSERT_TRUE(byte_of(sdb, 1));
    ASSERT_TRUE(change_bytes(sda, 2, 0, 1, 1));
    const auto used = bread(sda, block_nr{3});
    drop_clean_buffers(dev_id(8, 1));
    EXPECT_EQ(uptodate(sda, {1, 2, 3, 4}), "uuuu") << "not of this partition";
    drop_clean_buffers(sda, [](dev_id dev, block_nr b) { return dev == sda && b == block_nr{4}; });
    EXPECT_EQ(uptodate(sda, {1, 2, 3, 4}), "nuuu");
    EXPECT_EQ(uptodate(sdb, {1}), "u");
    drop_clean_buffers(sda);
    EXPECT_EQ(uptodate(sda, {1, 2, 3, 4}), "nuun");
    check_buffer_invariants();
  });
}

TEST_P(buffers, of_a_volume_that_is_given_up_are_discarded_with_their_uses) {
  medium other(64, "SIM2");
  with_stick(1, [&](medium& stick) {
    plug_as(other, sdb);
    ASSERT_TRUE(byte_of(sda, 1));
    ASSERT_TRUE(change_bytes(sda, 2, 0, 1, 1));
    ASSERT_TRUE(change_bytes(sdb, 2, 0, 1, 1));
    auto used = bread(sda, block_nr{3});
    ASSERT_TRUE(used);
    pull_from(stick, sda);
    EXPECT_EQ(count_buffers().dirty, 1u) << "the region has what it held";
    EXPECT_EQ(uptodate(sda, {1, 2, 3}), "uuu");
    note_write_error(sda, error::eio);
    checkpoint::dropped(*checkpoint::volume_of(sda));
    EXPECT_EQ(uptodate(sda, {1, 2, 3}), "nnn");
    EXPECT_EQ(uptodate(sdb, {2}), "u");
    EXPECT_TRUE(take_write_error(sda)) << "not for the next stick";
    check_buffer_invariants();
    EXPECT_EQ(count_buffers().clean, buffer_total() - 2);
    *used = {};
    check_buffer_invariants();
    ASSERT_TRUE(write_buffers(sdb));
  });
}

TEST_P(buffers, that_are_dirty_are_let_go_and_counted) {
  for (u32 dirty : {0u, 1u, 3u})
    with_stick(1,
               [&](medium& stick) {
                 for (u32 b = 0; b < dirty; ++b) ASSERT_TRUE(change_bytes(sda, b, 0, 1, 1));
                 EXPECT_EQ(let_go_of_buffers(sdb), 0u);
                 pull_from(stick, sda);
                 const std::string loss =
                     "LOST: sda: " + std::to_string(dirty) + " unwritten blocks";
                 EXPECT_EQ(said(loss), dirty > 0);
                 check_buffer_invariants();
               },
               {.hold = duration{}});
}

// A change that needs a flush first, which fails: the change is refused, and nothing is changed.
TEST_P(buffers, are_not_changed_when_the_flush_before_it_fails) {
  with_stick(1, [](medium& stick) {
    for (u8 i = 1; i <= 4; ++i) {
      ASSERT_TRUE(change_bytes(sda, 5, 0, 10, i));
      ASSERT_TRUE(write_buffers(sda));
    }
    stick.fault = [](block_command cmd, lba, u32) {
      return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
    };
    // Three flushes are tried; what they may have lost is written again by each.
    const result<void> changed = change_bytes(sda, 5, 0, 10, 9);
    const auto now_there = byte_of(sda, 5);
    ASSERT_TRUE(now_there);
    EXPECT_EQ(*now_there, changed ? 9 : 4);
    stick.fault = nullptr;
    ASSERT_TRUE(change_bytes(sda, 5, 0, 10, 10));
    ASSERT_TRUE(flush_buffers(sda));
    EXPECT_EQ(stick.durable()[5 * BLOCK_SIZE], byte{10});
    static_cast<void>(take_write_error(sda));
  });
}

bool is_noticed(void (*damage)(buffer_head& bh)) {
  medium stick(64);
  world w({.expect_panic = true});
  w.run([&] {
    boot();
    plug_as(stick, sda);
    ASSERT_TRUE(byte_of(sda, 1));
    ASSERT_TRUE(byte_of(sda, 2));
    check_buffer_invariants();
    ASSERT_FALSE(here().panicked());
    damage(*find_buffer(sda, block_nr{1}));
    check_buffer_invariants();
  });
  return w.panicked();
}

TEST(buffer_table, notices_when_it_is_damaged) {
  EXPECT_FALSE(is_noticed([](buffer_head&) {}));
  EXPECT_TRUE(is_noticed([](buffer_head& bh) { bh.b_uptodate = false, bh.b_dirt = true; }));
  EXPECT_TRUE(is_noticed([](buffer_head& bh) { bh.b_dirt = true; })) << "on the wrong list";
  EXPECT_TRUE(is_noticed([](buffer_head& bh) { bh.b_count = 1; })) << "used, and on the free list";
  EXPECT_TRUE(is_noticed([](buffer_head& bh) { bh.b_blocknr = block_nr{2}; }));
  EXPECT_TRUE(is_noticed([](buffer_head& bh) { bh.b_dev = dev_id(8, 1); }));
  EXPECT_TRUE(is_noticed([](buffer_head& bh) { bh.b_dev = {}; })) << "in the hash without a name";
  EXPECT_TRUE(is_noticed([](buffer_head& bh) {
    bh.b_count = 1;
    name_buffer(bh, sda, block_nr{9});
  })) << "a head in use gets another block";
  EXPECT_TRUE(is_noticed([](buffer_head& bh) {
    bh.b_lock = true;
    name_buffer(bh, sda, block_nr{9});
  }));
  EXPECT_TRUE(is_noticed([](buffer_head& bh) {
    bh.b_dirt = true;
    name_buffer(bh, sda, block_nr{9});
  }));
  EXPECT_TRUE(is_noticed([](buffer_head& bh) { brelse(&bh); })) << "given up without a use";
}

}  // namespace
