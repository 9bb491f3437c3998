// The limits of the block layer: partitions at the last number and the last sector, the last block,
// the number of requests and their size.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <vector>

#include "drivers/block/genhd.h"
#include "hal/clock.h"
#include "hal/memory.h"
#include "lib/endian.h"
#include "tests/drivers/block/manual_disk.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"

namespace {

using sim::manual_disk;
using sim::test_block;

constexpr u32 sectors = 4096;
constexpr u8 minix = 0x81, extended = 0x05;

struct entry {
  u8 type;
  u32 first;
  u32 count;
};

void plant_table(sim::medium& stick, u32 at, const std::vector<entry>& entries) {
  byte* const sector = stick.bytes().data() + size_t{at} * SECTOR_SIZE;
  for (size_t i = 0; i < entries.size(); ++i) {
    byte* const to = sector + 446 + 16 * i;
    const le32 first(entries[i].first), count(entries[i].count);
    to[4] = byte{entries[i].type};
    std::memcpy(to + 8, &first, 4);
    std::memcpy(to + 12, &count, 4);
  }
  sector[510] = byte{0x55};
  sector[511] = byte{0xAA};
}

partition_table read_table(sim::medium& stick) {
  partition_table table{};
  sim::run(1, [&] {
    stick.plug();
    const std::span<byte> page = allocate_pages(1);
    const auto read = read_partitions(stick.device(), page.first(BLOCK_SIZE));
    free_pages(page);
    ASSERT_TRUE(read);
    table = *read;
  });
  return table;
}

// Numbers 5 to 15 are for logical partitions. Those behind them are left out; the others, and the
// primary one behind the extended one, are as they would be without them.
TEST(boundaries, the_last_logical_partition_has_number_15) {
  for (const u32 count : {10u, 11u, 12u, 30u}) {
    sim::medium stick(sectors);
    plant_table(stick, 0, {{minix, 64, 100}, {extended, 1000, 2000}, {}, {minix, 3500, 596}});
    for (u32 i = 0; i < count; ++i) {
      std::vector<entry> record{{minix, 2, 10 + i}};
      if (i + 1 < count) record.push_back({extended, 20 * (i + 1), 20});
      plant_table(stick, 1000 + 20 * i, record);
    }
    const partition_table table = read_table(stick);
    EXPECT_EQ(table[0], (partition{lba{0}, sectors, 0}));
    EXPECT_EQ(table[1], (partition{lba{64}, 100, minix}));
    EXPECT_EQ(table[4], (partition{lba{3500}, 596, minix}));
    for (u32 i = 0; i < 11; ++i)
      EXPECT_EQ(table[5 + i],
                i < count ? (partition{lba{1000 + 20 * i + 2}, 10 + i, minix}) : partition{})
          << count << " partitions, number " << 5 + i;
  }
}

TEST(boundaries, a_partition_ends_with_the_last_sector) {
  for (const u32 end : {sectors - 1, sectors, sectors + 1}) {
    sim::medium stick(sectors);
    plant_table(stick, 0, {{minix, 64, end - 64}, {minix, end - 1, 1}});
    const partition_table table = read_table(stick);
    EXPECT_EQ(table[1].sectors, end <= sectors ? end - 64 : 0) << end;
    EXPECT_EQ(table[2].sectors, end <= sectors ? 1u : 0u) << end;
  }
}

// A boot record is read together with the sector behind it, so the last sector cannot hold one.
TEST(boundaries, a_boot_record_stands_before_the_last_sector) {
  for (const u32 from_the_end : {1u, 2u, 3u}) {
    sim::medium stick(sectors);
    const u32 at = sectors - from_the_end;
    plant_table(stick, 0, {{extended, 1000, sectors - 1000}, {minix, 64, 10}});
    plant_table(stick, 1000, {{minix, 2, 10}, {extended, at - 1000, from_the_end}});
    if (from_the_end > 1) plant_table(stick, at, {{minix, 1, 1}});
    const partition_table table = read_table(stick);
    EXPECT_EQ(table[5].sectors, 10u);
    EXPECT_EQ(table[6].sectors, from_the_end > 1 ? 1u : 0u) << from_the_end;
    EXPECT_EQ(table[2].sectors, 10u);
  }
}

TEST(boundaries, the_last_name_of_a_disk_has_its_partitions) {
  sim::medium stick(sectors);
  sim::run(1, [&] {
    stick.plug();
    partition_table table{};
    table[0] = {lba{0}, sectors, 0};
    table[15] = {lba{64}, 10, minix};
    for (u8 i = 0; i < 8; ++i) ASSERT_TRUE(add_disk(stick.device(), table));
    EXPECT_STREQ(disk_name(dev_id(8, 127)).data(), "sdh15");
    EXPECT_EQ(resolve(dev_id(8, 127))->first, lba{64});
    EXPECT_EQ(whole_disk(dev_id(8, 127)), dev_id(8, 112));
    EXPECT_EQ(resolve(dev_id(8, 126)).error(), error::enxio);
    for (const u8 minor : {u8{128}, u8{129}, u8{143}, u8{255}})
      EXPECT_EQ(resolve(dev_id(8, minor)).error(), error::enxio) << u32{minor};
    for (u8 i = 0; i < 8; ++i) release_disk(dev_id(8, static_cast<u8>(16 * i)));
  });
}

TEST(boundaries, the_last_block_of_a_device_can_be_moved_and_the_next_not) {
  sim::run(1, [] {
    for (const u32 size : {2u, 3u, 2046u, 2047u, 2048u, 2049u}) {
      manual_disk disk;
      disk.identity.sectors = size;
      const u32 blocks = size / SECTORS_PER_BLOCK;
      for (const block_command cmd : {block_command::read, block_command::write}) {
        test_block last(1), next(2);
        last.start(disk, cmd, blocks - 1);
        EXPECT_TRUE(last.head.b_lock) << size;
        disk.take_all();
        EXPECT_TRUE(last.wait());
        next.start(disk, cmd, blocks);
        EXPECT_EQ(next.wait(), fail(error::eio)) << size;
      }
    }
  });
}

// 64 requests are there for all devices, and none holds more than are left for the others: a stick
// that does not answer leaves them half. The 33rd waits, and goes on as soon as one is free.
TEST(boundaries, the_33rd_request_waits_for_another_one_to_end) {
  sim::run(1, [] {
    manual_disk disk, other;
    std::deque<test_block> blocks;
    for (u32 i = 0; i < 32; ++i) {
      const sim::must_not_sleep here;
      blocks.emplace_back(u8{1}).start(disk, block_command::write, 3 * i);
    }
    EXPECT_EQ(requests_in_use(), 32u);
    for (u32 i = 0; i < 16; ++i) {
      const sim::must_not_sleep the_other_one;
      blocks.emplace_back(u8{1}).start(other, block_command::write, 3 * i);
    }
    EXPECT_EQ(other.take_all().size(), 16u);
    {
      const sim::must_not_sleep it_joins_one_that_is_queued;
      blocks.emplace_back(u8{1}).start(disk, block_command::write, 1);
    }
    test_block more(2);
    auto writer = sim::spawn("writer", [&] { more.start(disk, block_command::write, 200); });
    sleep_for(1_s);
    EXPECT_FALSE(writer.ended());
    disk.end_request(*disk.next_request(), {});
    sleep_for(1_ms);
    EXPECT_TRUE(writer.ended());
    EXPECT_EQ(requests_in_use(), 32u);
    EXPECT_EQ(disk.take_all().size(), 32u);
    EXPECT_EQ(requests_in_use(), 0u);
  });
}

TEST(boundaries, a_request_has_at_most_max_sectors) {
  sim::run(1, [] {
    for (const u32 most : {2u, 3u, 4u, 5u, 6u, 7u}) {
      manual_disk disk;
      disk.max_sectors = most;
      std::deque<test_block> blocks;
      for (u32 i = 0; i < 6; ++i)
        blocks.emplace_back(u8{1}).start(disk, block_command::write, i < 3 ? 10 + i : 22 - i);
      const u32 whole_blocks = most / SECTORS_PER_BLOCK * SECTORS_PER_BLOCK;
      u32 moved = 0, largest = 0;
      for (const auto& [first, count] : disk.take_all()) {
        largest = std::max(largest, count);
        moved += count;
      }
      EXPECT_EQ(moved, 12u);
      EXPECT_EQ(largest, std::min(whole_blocks, 6u)) << most;
    }
  });
}

}  // namespace
