// Names of disks and partitions, and partition tables written by other systems (genhd.h).
#include "drivers/block/genhd.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "drivers/block/ll_rw_block.h"
#include "hal/memory.h"
#include "lib/endian.h"
#include "tests/sim/blocks.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"

namespace {

constexpr u32 sectors = 4096;
constexpr u8 minix = 0x81;
constexpr u8 extended = 0x05;

struct entry {
  u8 type;
  u32 first;
  u32 count;
  u8 status = 0;
};

// Writes a boot record's table, with its signature, into sector `at` of the medium.
void plant_table(sim::medium& stick, u32 at, const std::vector<entry>& entries) {
  byte* sector = stick.bytes().data() + size_t{at} * SECTOR_SIZE;
  for (size_t i = 0; i < entries.size(); ++i) {
    byte* to = sector + 446 + 16 * i;
    const le32 first(entries[i].first);
    const le32 count(entries[i].count);
    to[0] = byte{entries[i].status};
    to[4] = byte{entries[i].type};
    std::memcpy(to + 8, &first, 4);
    std::memcpy(to + 12, &count, 4);
  }
  sector[510] = byte{0x55};
  sector[511] = byte{0xAA};
}

// The caller provides all the memory that is used: a stick may come back when memory is full.
result<partition_table> read_without_memory(sim::medium& stick) {
  const std::span<byte> page = allocate_pages(1);
  sim::memory().refuse_all();
  const auto read = read_partitions(stick.device(), page.first(BLOCK_SIZE));
  EXPECT_EQ(sim::memory().refused(), 0u);
  sim::memory().refuse_none();
  free_pages(page);
  return read;
}

partition_table read_table(sim::medium& stick) {
  partition_table table{};
  sim::run(1, [&] {
    stick.plug();
    auto read = read_without_memory(stick);
    ASSERT_TRUE(read);
    table = *read;
  });
  EXPECT_EQ(table[0], (partition{lba{0}, sectors, 0})) << "the whole disk is always there";
  return table;
}

u32 count_partitions(const partition_table& table) {
  u32 count = 0;
  for (size_t i = 1; i < table.size(); ++i) count += table[i].sectors != 0;
  return count;
}

TEST(partitions, primary_ones) {
  sim::medium stick(sectors);
  plant_table(stick, 0,
              {{minix, 64, 1000}, {0x0C, 1064, 500, 0x80}, {0, 0, 0}, {minix, 3000, 1096}});
  const partition_table table = read_table(stick);
  EXPECT_EQ(table[1], (partition{lba{64}, 1000, minix}));
  EXPECT_EQ(table[2], (partition{lba{1064}, 500, 0x0C}));
  EXPECT_EQ(table[3].sectors, 0u);
  EXPECT_EQ(table[4], (partition{lba{3000}, 1096, minix}));
}

TEST(partitions, logical_ones) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{minix, 64, 100}, {extended, 1000, 3000}});
  plant_table(stick, 1000, {{minix, 16, 200}, {extended, 500, 600}});
  plant_table(stick, 1500, {{minix, 16, 300}, {extended, 1000, 600}});
  plant_table(stick, 2000, {{minix, 16, 400}});
  const partition_table table = read_table(stick);
  EXPECT_EQ(table[5], (partition{lba{1016}, 200, minix}));
  EXPECT_EQ(table[6], (partition{lba{1516}, 300, minix}));
  EXPECT_EQ(table[7], (partition{lba{2016}, 400, minix}));
  EXPECT_EQ(table[8].sectors, 0u);
}

// As after the deletion of a partition.
TEST(partitions, behind_a_record_that_describes_none) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 3000}});
  plant_table(stick, 1000, {{0, 0, 0}, {extended, 500, 600}});
  plant_table(stick, 1500, {{minix, 16, 300}});
  const partition_table table = read_table(stick);
  EXPECT_EQ(table[5].sectors, 0u);
  EXPECT_EQ(table[6], (partition{lba{1516}, 300, minix}));
}

// Not every tool knows that there should be one at most. Both chains have numbers of their own, as
// in Linux.
TEST(partitions, logical_ones_of_two_extended_ones) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 1000}, {extended, 2000, 2000}});
  plant_table(stick, 1000, {{minix, 16, 100}, {extended, 200, 200}});
  plant_table(stick, 1200, {{minix, 16, 110}});
  plant_table(stick, 2000, {{minix, 16, 120}});
  const partition_table table = read_table(stick);
  EXPECT_EQ(table[5], (partition{lba{1016}, 100, minix}));
  EXPECT_EQ(table[6], (partition{lba{1216}, 110, minix}));
  EXPECT_EQ(table[7], (partition{lba{2016}, 120, minix}));
  EXPECT_EQ(count_partitions(table), 5u);
}

TEST(partitions, none_without_a_signature) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{minix, 64, 1000}});
  stick.bytes()[510] = byte{0};
  EXPECT_EQ(count_partitions(read_table(stick)), 0u);
}

TEST(partitions, a_chain_ends_at_an_extended_record_without_a_signature) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 3000}});
  plant_table(stick, 1000, {{minix, 16, 200}, {extended, 500, 600}});
  plant_table(stick, 1500, {{minix, 16, 300}});
  stick.bytes()[1500 * SECTOR_SIZE + 511] = byte{0};
  const partition_table table = read_table(stick);
  EXPECT_EQ(table[5], (partition{lba{1016}, 200, minix}));
  EXPECT_EQ(count_partitions(table), 2u);
}

// A FAT boot sector ends with the same signature and has text in the place of the table.
TEST(partitions, none_in_a_boot_sector_that_is_no_table) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{minix, 64, 1000, 'N'}});
  EXPECT_EQ(count_partitions(read_table(stick)), 0u);
}

TEST(partitions, not_past_the_end) {
  sim::medium stick(sectors);
  plant_table(
      stick, 0,
      {{minix, 64, sectors}, {minix, sectors, 1}, {minix, 0xFFFFFFFF, 2}, {minix, 4000, 96}});
  const partition_table table = read_table(stick);
  EXPECT_EQ(count_partitions(table), 1u);
  EXPECT_EQ(table[4], (partition{lba{4000}, 96, minix}));
}

TEST(partitions, a_loop_of_extended_records_ends) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 3000}});
  plant_table(stick, 1000, {{minix, 16, 100}, {extended, 500, 600}});
  plant_table(stick, 1500, {{minix, 16, 100}, {extended, 500, 600}});
  EXPECT_LE(count_partitions(read_table(stick)), MINORS_PER_DISK - 1u);
}

TEST(partitions, an_extended_record_that_points_away_is_left_out) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 3000}});
  plant_table(stick, 1000, {{minix, 0xFFFFFF00, 100}, {extended, 0xFFFFFC18, 600}});
  EXPECT_EQ(count_partitions(read_table(stick)), 1u);
}

TEST(partitions, random_tables_do_no_harm) {
  for (u64 seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    sim::medium stick(sectors);
    for (u32 at = 0; at < sectors; at += static_cast<u32>(1 + random() % 64)) {
      std::vector<entry> entries;
      for (int i = 0; i < 4; ++i)
        entries.push_back({random() % 2 ? extended : minix,
                           static_cast<u32>(random() % (sectors + 64)),
                           static_cast<u32>(random() % (sectors + 64))});
      plant_table(stick, at, entries);
    }
    const partition_table table = read_table(stick);
    for (const partition& p : table)
      ASSERT_LE(u64{p.first.value()} + p.sectors, sectors) << "seed " << seed;
  }
}

TEST(partitions, tiny_media_have_the_whole_disk_only) {
  for (u32 size : {0u, 1u, 2u, 3u}) {
    sim::medium stick(size);
    sim::run(1, [&] {
      stick.plug();
      const auto table = read_without_memory(stick);
      ASSERT_TRUE(table);
      EXPECT_EQ((*table)[0].sectors, size);
    });
  }
}

TEST(partitions, a_read_error_is_told) {
  sim::medium stick(sectors);
  stick.fault = [](block_command, lba, u32) { return std::optional(error::eio); };
  sim::run(1, [&] {
    stick.plug();
    EXPECT_EQ(read_without_memory(stick).error(), error::eio);
  });
}

// The last block of a medium may be an extended record; half a block is none.
TEST(partitions, an_extended_record_may_stand_in_the_last_block) {
  for (const u32 at : {sectors - 2, sectors - 1}) {
    sim::medium stick(sectors);
    plant_table(stick, 0, {{extended, 1000, sectors - 1000}});
    plant_table(stick, 1000, {{minix, 16, 100}, {extended, at - 1000, 2}});
    plant_table(stick, at, {{minix, 1, 1}});
    const partition_table table = read_table(stick);
    EXPECT_EQ(table[5], (partition{lba{1016}, 100, minix}));
    EXPECT_EQ(table[6], at == sectors - 2 ? (partition{lba{sectors - 1}, 1, minix}) : partition{});
  }
}

TEST(partitions, know_three_types_of_extended_ones) {
  for (u32 type = 0; type < 256; ++type) {
    sim::medium stick(sectors);
    plant_table(stick, 0, {{static_cast<u8>(type), 1000, 3000}});
    plant_table(stick, 1000, {{minix, 16, 100}});
    const bool is_extended = type == 0x05 || type == 0x0F || type == 0x85;
    EXPECT_EQ(read_table(stick)[5].sectors, is_extended ? 100u : 0u) << type;
  }
}

// Each field of an entry that is 0 makes it an unused one; 1 is a value like any other.
TEST(partitions, need_a_type_a_place_and_a_size) {
  for (const u32 value : {0u, 1u}) {
    sim::medium stick(sectors);
    plant_table(stick, 0,
                {{static_cast<u8>(value), 64, 10}, {minix, value, 10}, {minix, 64, value}});
    EXPECT_EQ(count_partitions(read_table(stick)), value * 3);
  }
  for (u8 status = 1; status < 0x80; status = static_cast<u8>(status * 2)) {
    sim::medium stick(sectors);
    plant_table(stick, 0, {{minix, 64, 10}, {minix, 80, 10, status}});
    EXPECT_EQ(count_partitions(read_table(stick)), 0u) << "no table: " << int{status};
  }
}

TEST(partitions, of_which_the_fourth_may_be_the_extended_one) {
  for (u32 place = 0; place < 4; ++place) {
    sim::medium stick(sectors);
    std::vector<entry> entries(4, entry{minix, 64, 10});
    entries[place] = {extended, 1000, 2000};
    plant_table(stick, 0, entries);
    plant_table(stick, 1000, {{minix, 16, 100}});
    const partition_table table = read_table(stick);
    EXPECT_EQ(count_partitions(table), 5u);
    EXPECT_EQ(table[place + 1], (partition{lba{1000}, 2000, extended}));
    EXPECT_EQ(table[5], (partition{lba{1016}, 100, minix}));
  }
}

// A chain longer than the table: as many as there are names, 5 to 15.
TEST(partitions, of_which_eleven_are_logical) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 3000}});
  for (u32 i = 0; i < 14; ++i)
    plant_table(stick, 1000 + 100 * i, {{minix, 2, i + 1}, {extended, 100 * (i + 1), 100}});
  const partition_table table = read_table(stick);
  EXPECT_EQ(count_partitions(table), 12u);
  for (u32 i = 0; i < 11; ++i)
    EXPECT_EQ(table[5 + i], (partition{lba{1002 + 100 * i}, i + 1, minix}));
}

// What ends a chain: a link of another type, one to nowhere, a record without a signature.
TEST(partitions, a_chain_of_logical_ones_ends) {
  for (const entry& link : std::initializer_list<entry>{
           {minix, 500, 100}, {extended, 0, 100}, {extended, 700, 100}, {0, 500, 100}}) {
    sim::medium stick(sectors);
    plant_table(stick, 0, {{extended, 1000, 3000}});
    plant_table(stick, 1000, {{minix, 16, 100}, link});
    plant_table(stick, 1500, {{minix, 16, 100}});
    const partition_table table = read_table(stick);
    EXPECT_EQ(table[5].sectors, 100u);
    EXPECT_EQ(count_partitions(table), 2u) << link.first;
  }
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 3000}});
  plant_table(stick, 1000, {{minix, 16, 100}, {extended, 1, 100}});
  plant_table(stick, 1001, {{minix, 1, 100}});
  EXPECT_EQ(read_table(stick)[6], (partition{lba{1002}, 100, minix})) << "one sector on";
}

TEST(partitions, of_a_medium_of_one_block) {
  sim::medium stick(2);
  plant_table(stick, 0, {{minix, 1, 1}});
  sim::run(1, [&] {
    stick.plug();
    const auto table = read_without_memory(stick);
    ASSERT_TRUE(table);
    EXPECT_EQ((*table)[0], (partition{lba{0}, 2, 0}));
    EXPECT_EQ((*table)[1], (partition{lba{1}, 1, minix}));
  });
}

TEST(partitions, a_read_error_of_an_extended_record_is_told) {
  sim::medium stick(sectors);
  plant_table(stick, 0, {{extended, 1000, 3000}});
  stick.fault = [](block_command, lba at, u32) {
    return at.value() == 1000 ? std::optional(error::eio) : std::nullopt;
  };
  sim::run(1, [&] {
    stick.plug();
    EXPECT_EQ(read_without_memory(stick).error(), error::eio);
  });
}

TEST(disk_names, of_every_number) {
  for (u32 minor = 0; minor < 128; ++minor) {
    std::string expected = std::string("sd") + static_cast<char>('a' + minor / 16);
    if (minor % 16) expected += std::to_string(minor % 16);
    EXPECT_EQ(disk_name(dev_id(8, static_cast<u8>(minor))).data(), expected);
  }
  for (u8 n = 0; n < 10; ++n) EXPECT_EQ(disk_name(dev_id(1, n)).data(), "ram" + std::to_string(n));
  EXPECT_TRUE(disk_of(dev_id(8, 127)));
  EXPECT_FALSE(disk_of(dev_id(8, 128)) || disk_of(dev_id(1, 0)) || disk_of(dev_id(9, 0)));
}

TEST(disk_names, mean_nothing_before_they_are_given) {
  sim::run(1, [] {
    EXPECT_EQ(resolve(dev_id(MAJOR_RAM, 0)).error(), error::enxio) << "no RAM disk yet";
    EXPECT_EQ(resolve(dev_id(MAJOR_RAM, 1)).error(), error::enxio);
    EXPECT_EQ(resolve(dev_id(8, 0)).error(), error::enxio);
    EXPECT_EQ(resolve(dev_id(8, 200)).error(), error::enxio);
  });
}

TEST(disk_names, are_given_from_the_first_on) {
  sim::medium stick(sectors);
  sim::run(1, [&] {
    stick.plug();
    partition_table table{};
    table[15] = {lba{7}, 1, minix};
    ASSERT_EQ(*add_disk(stick.device(), {}), dev_id(8, 0));
    ASSERT_EQ(*add_disk(stick.device(), table), dev_id(8, 16));
    EXPECT_EQ(resolve(dev_id(8, 31))->first, lba{7});
    EXPECT_EQ(resolve(dev_id(8, 31))->sectors, 1u);
    EXPECT_EQ(resolve(dev_id(8, 15)).error(), error::enxio);
    release_disk(dev_id(8, 0));
    release_disk(dev_id(8, 16));
  });
}

TEST(disk_names, are_linux_s) {
  EXPECT_STREQ(disk_name(dev_id(8, 0)).data(), "sda");
  EXPECT_STREQ(disk_name(dev_id(8, 1)).data(), "sda1");
  EXPECT_STREQ(disk_name(dev_id(8, 31)).data(), "sdb15");
  EXPECT_STREQ(disk_name(dev_id(1, 0)).data(), "ram0");
  EXPECT_EQ(whole_disk(dev_id(8, 19)), dev_id(8, 16));
  EXPECT_EQ(whole_disk(dev_id(1, 0)), dev_id(1, 0));
}

TEST(disk_names, follow_the_stick_through_its_absence) {
  sim::medium stick(sectors);
  sim::run(1, [&] {
    stick.plug();
    partition_table table{};
    table[0] = {lba{0}, sectors, 0};
    table[1] = {lba{64}, 100, minix};
    const auto disk = add_disk(stick.device(), table);
    ASSERT_TRUE(disk);
    EXPECT_EQ(*disk, dev_id(8, 0));
    EXPECT_EQ(resolve(dev_id(8, 1))->first, lba{64});
    EXPECT_EQ(resolve(dev_id(8, 2)).error(), error::enxio);
    EXPECT_EQ(resolve(dev_id(8, 16)).error(), error::enxio);
    EXPECT_EQ(resolve(dev_id(3, 0)).error(), error::enxio);
    detach_disk(*disk);
    EXPECT_EQ(resolve(dev_id(8, 1)).error(), error::enodev);
    reattach_disk(*disk, stick.device());
    EXPECT_EQ(resolve(dev_id(8, 1))->device, &stick.device());
    release_disk(*disk);
    EXPECT_EQ(resolve(dev_id(8, 0)).error(), error::enxio);
  });
}

TEST(disk_names, run_out) {
  sim::medium stick(sectors);
  sim::run(1, [&] {
    stick.plug();
    for (u8 i = 0; i < NR_DISKS; ++i)
      EXPECT_EQ(*add_disk(stick.device(), {}), dev_id(8, static_cast<u8>(16 * i)));
    EXPECT_EQ(add_disk(stick.device(), {}).error(), error::enfile);
    release_disk(dev_id(8, 48));
    EXPECT_EQ(*add_disk(stick.device(), {}), dev_id(8, 48));
    for (u8 i = 0; i < NR_DISKS; ++i) release_disk(dev_id(8, static_cast<u8>(16 * i)));
  });
}

TEST(ll_rw_block, writes_into_the_partition_and_not_past_it) {
  sim::medium stick(sectors);
  sim::run(1, [&] {
    stick.plug();
    partition_table table{};
    table[0] = {lba{0}, sectors, 0};
    table[1] = {lba{64}, 10, minix};
    ASSERT_TRUE(add_disk(stick.device(), table));
    sim::test_block block(5);
    block.head.b_dev = dev_id(8, 1);
    block.head.b_blocknr = block_nr{4};
    block.head.b_dirt = block.head.b_uptodate = true;
    ll_rw_block(block_command::write, block.head);
    EXPECT_TRUE(block.wait());
    EXPECT_EQ(stick.content()[72 * SECTOR_SIZE], byte{5});
    block.head.b_blocknr = block_nr{5};
    ll_rw_block(block_command::read, block.head);
    EXPECT_EQ(block.wait().error(), error::enxio);
    EXPECT_FALSE(block.head.b_uptodate);
    EXPECT_EQ(block.endings, 2);
    block.head.b_sent = true;  // by an I/O before
    block.head.b_uptodate = true;
    ll_rw_block(block_command::write, block.head);
    EXPECT_EQ(block.wait().error(), error::enxio);
    EXPECT_TRUE(block.head.b_uptodate) << "nothing is wrong with what is in memory";
    EXPECT_FALSE(block.head.b_sent || block.head.b_lock || block.head.b_error);
    block.head.b_end_io = nullptr;
    ll_rw_block(block_command::read, block.head);
    EXPECT_EQ(block.endings, 3);
    detach_disk(dev_id(8, 0));
    block.head.b_blocknr = block_nr{4};
    sim::test_block other(1);
    other.head.b_dev = dev_id(8, 1);
    ll_rw_block(block_command::write, other.head);
    EXPECT_EQ(other.wait().error(), error::enodev);
    release_disk(dev_id(8, 0));
  });
}

}  // namespace
