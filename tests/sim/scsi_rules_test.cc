// What happens to the simulated stick's write cache when something fails (medium.h, scsi_target.h).
// A device may drop what it could not write, so the simulated one drops some of it.
#include <gtest/gtest.h>

#include <cstring>

#include "drivers/block/ll_rw_block.h"
#include "tests/sim/blocks.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/xhci/stick.h"

namespace sim {
namespace {

constexpr u32 sectors = 20;
constexpr std::array<u8, 16> write_10{0x2A, 0, 0, 0, 0, 0, 0, 0, 1},
    read_10{0x28, 0, 0, 0, 0, 0, 0, 0, 1}, synchronize{0x35}, request_sense{0x03, 0, 0, 0, 18},
    inquiry{0x12, 0, 0, 0, 36};

void fill_cache(medium& storage) {
  medium::sector content;
  content.fill(byte{0x5A});
  for (u32 i = 0; i < sectors; ++i) ASSERT_TRUE(storage.write_sector(i, content));
}

u32 durable_sectors(const medium& storage) {
  u32 count = 0;
  for (u32 i = 0; i < sectors; ++i)
    count += storage.durable()[size_t{i} * SECTOR_SIZE] == byte{0x5A};
  return count;
}

void expect_dropped(const medium& storage) {
  EXPECT_EQ(storage.cached_sectors(), 0u);
  EXPECT_GT(durable_sectors(storage), 0u);
  EXPECT_LT(durable_sectors(storage), sectors);
}

void with_target(const std::function<void(medium&, scsi_target&)>& test) {
  run(1, [&] {
    medium storage(64);
    scsi_target target(storage);
    fill_cache(storage);
    test(storage, target);
  });
}

TEST(scsi_rules, a_flush_that_fails_drops_the_cache) {
  with_target([](medium& storage, scsi_target& target) {
    storage.fault = [](block_command, lba, u32) { return std::optional(error::eio); };
    target.begin(synchronize, 0);
    EXPECT_TRUE(target.finish(true));
    EXPECT_TRUE(target.failed());
    expect_dropped(storage);
  });
}

TEST(scsi_rules, so_does_one_whose_status_is_spoilt_on_the_way) {
  with_target([](medium& storage, scsi_target& target) {
    target.begin(synchronize, 0);
    EXPECT_TRUE(target.finish(false));
    expect_dropped(storage);
  });
}

TEST(scsi_rules, but_not_one_that_is_not_executed) {
  for (const scsi_target::sense why : {scsi_target::sense{2, 4, 1}, {5, 0x24, 0}, {6, 0x2A, 0}})
    with_target([&](medium& storage, scsi_target& target) {
      target.failures.push_back(why);
      target.begin(synchronize, 0);
      EXPECT_TRUE(target.finish(true));
      EXPECT_EQ(storage.cached_sectors(), sectors);
    });
}

TEST(scsi_rules, a_deferred_error_is_about_the_cache_and_not_about_the_command) {
  with_target([](medium& storage, scsi_target& target) {
    target.failures.push_back({3, 0x0C, 0, true});
    target.begin(write_10, SECTOR_SIZE);
    EXPECT_TRUE(target.failed());
    EXPECT_TRUE(target.take(std::vector<byte>(SECTOR_SIZE, byte{1})));
    EXPECT_EQ(storage.cached_sectors(), 0u) << "the command is not executed";
    expect_dropped(storage);
    const std::vector<byte> sense = target.begin(request_sense, 18);
    EXPECT_EQ(sense[0], byte{0x71});
  });
}

// What a recovered error says of itself: the command was executed, with its data.
TEST(scsi_rules, a_recovered_error_is_of_a_command_that_was_executed) {
  with_target([](medium& storage, scsi_target& target) {
    target.failures.assign(3, {1, 0x17, 0});
    target.begin(write_10, SECTOR_SIZE);
    EXPECT_FALSE(target.failed()) << "known only with the status";
    EXPECT_TRUE(target.take(std::vector<byte>(SECTOR_SIZE, byte{1})));
    EXPECT_TRUE(target.finish(true));
    EXPECT_TRUE(target.failed() && target.recovered());
    EXPECT_EQ(storage.newest(0)[0], byte{1});
    EXPECT_TRUE(storage.log().back().succeeded);
    EXPECT_EQ(target.begin(request_sense, 18)[2], byte{1});
    EXPECT_FALSE(target.failed() || target.recovered());

    EXPECT_EQ(target.begin(read_10, SECTOR_SIZE)[0], byte{1});
    EXPECT_TRUE(target.finish(true));
    EXPECT_TRUE(target.recovered());
    target.begin(synchronize, 0);
    EXPECT_TRUE(target.finish(true));
    EXPECT_TRUE(target.recovered());
    EXPECT_EQ(storage.cached_sectors(), 0u);
    EXPECT_EQ(durable_sectors(storage), sectors - 1) << "one has been overwritten";
  });
}

TEST(scsi_rules, a_deferred_error_is_never_of_a_command_that_was_executed) {
  with_target([](medium&, scsi_target& target) {
    target.failures.push_back({1, 0x17, 0, true});
    target.begin(read_10, SECTOR_SIZE);
    EXPECT_TRUE(target.failed());
    EXPECT_FALSE(target.recovered());
  });
}

// Sense data are kept until the next command: a host that asks later asks in vain.
TEST(scsi_rules, sense_data_last_until_the_next_command) {
  for (const bool at_once : {true, false})
    with_target([&](medium&, scsi_target& target) {
      target.failures.push_back({3, 0x11, 0});
      target.begin(read_10, SECTOR_SIZE);
      EXPECT_TRUE(target.failed());
      if (!at_once) target.begin(inquiry, 36);
      EXPECT_EQ(target.begin(request_sense, 18)[2], at_once ? byte{3} : byte{0});
      EXPECT_EQ(target.begin(request_sense, 18)[2], byte{0}) << "and it is told once";
    });
}

// --- what a disk says of itself

using block = std::array<u8, 16>;
struct question {
  const char* name;
  block cdb;
  u32 length;    // that the host wants to move
  bool refused;  // as an invalid field
};
void PrintTo(const question& q, std::ostream* to) { *to << q.name; }

class scsi_rules_of : public testing::TestWithParam<question> {};

TEST_P(scsi_rules_of, a_command_block) {
  with_target([](medium&, scsi_target& target) {
    const question& q = GetParam();
    target.begin(q.cdb, q.length);
    EXPECT_EQ(target.failed(), q.refused);
    if (!q.refused) return;
    const std::vector<byte> sense = target.begin(request_sense, 18);
    EXPECT_EQ(sense[2], byte{5});
    EXPECT_EQ(sense[12], byte{0x24});
  });
}

INSTANTIATE_TEST_SUITE_P(
    all, scsi_rules_of,
    testing::Values(
        question{"all_pages", {0x1A, 0, 0x3F, 0, 192}, 192, false},
        question{"all_pages_without_descriptor", {0x1A, 8, 0x3F, 0, 192}, 192, false},
        question{"a_reserved_bit", {0x1A, 4, 0x3F, 0, 192}, 192, true},
        question{"default_values", {0x1A, 0, 0xBF, 0, 192}, 192, true},
        question{"another_page", {0x1A, 0, 0x1C, 0, 192}, 192, true},
        question{"another_length", {0x1A, 0, 0x3F, 0, 192}, 191, true},
        question{"sixteen", {0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32}, 32, false},
        question{"another_action", {0x9E, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32}, 32, true},
        question{
            "sixteen_at_an_address", {0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 32}, 32, true},
        question{"ten", {0x25}, 8, false},
        question{"ten_with_pmi", {0x25, 0, 0, 0, 0, 0, 0, 0, 1}, 8, true},
        question{"read_10", {0x28, 0, 0, 0, 0, 8, 0, 0, 2}, 1024, false},
        question{"read_10_of_another_length", {0x28, 0, 0, 0, 0, 8, 0, 0, 2}, 512, true},
        question{"read_10_with_a_group", {0x28, 0, 0, 0, 0, 8, 1, 0, 2}, 1024, true},
        question{"read_16", {0x88, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 2}, 1024, false},
        question{
            "read_16_of_another_length", {0x88, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 2}, 512, true},
        question{"read_16_with_protection",
                 {0x88, 0x20, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 2},
                 1024,
                 true},
        question{
            "read_16_with_a_group", {0x88, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 2, 1}, 1024, true},
        question{"write_16_with_control",
                 {0x8A, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 2, 0, 4},
                 1024,
                 true},
        question{"write_16", {0x8A, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 2}, 1024, false},
        question{"an_inquiry", {0x12, 0, 0, 0, 36}, 36, false},
        question{"a_vital_page", {0x12, 1, 0x80, 0, 36}, 36, true}),
    [](const auto& one) { return one.param.name; });

TEST(scsi_rules, mode_pages_stand_behind_the_block_descriptor) {
  with_target([](medium& storage, scsi_target& target) {
    storage.write_protected = true;
    for (const u8 without : {u8{0}, u8{8}}) {
      const std::vector<byte> data = target.begin(block{0x1A, without, 0x3F, 0, 192}, 192);
      ASSERT_EQ(data.size(), 4u + 12 + 20 + (without ? 0 : 8));
      EXPECT_EQ(data[0], static_cast<byte>(data.size() - 1));
      EXPECT_EQ(data[2], byte{0x80});
      const size_t pages = 4 + static_cast<size_t>(data[3]);
      EXPECT_EQ(data[pages], byte{1});
      EXPECT_EQ(data[pages + 12], byte{8});
      EXPECT_EQ(data[pages + 14], byte{4});
    }
    EXPECT_EQ(target.begin(block{0x1A, 8, 0x08, 0, 192}, 192).size(), 24u);
    EXPECT_EQ(target.begin(block{0x1A, 8, 0x3F, 0, 5}, 5).size(), 5u) << "as far as there is room";
    target.mode_pages = {0x3F};
    target.begin(block{0x1A, 8, 0x08, 0, 192}, 192);
    EXPECT_TRUE(target.failed());
    target.mode_length = 192;
    target.begin(block{0x1A, 0, 0x3F, 0, 4}, 4);
    EXPECT_TRUE(target.failed());
  });
}

TEST(scsi_rules, a_large_disk_tells_its_size_to_sixteen_bytes) {
  with_target([](medium&, scsi_target& target) {
    for (const u64 last : {u64{0xFFFF'FFFE}, u64{0xFFFF'FFFF}, u64{0x1'2345'6789}}) {
      target.claimed_last_lba = last;
      const u64 told = std::min<u64>(last, 0xFFFF'FFFF);
      const std::vector<byte> ten = target.begin(block{0x25}, 8);
      for (u32 i = 0; i < 4; ++i) EXPECT_EQ(ten[i], static_cast<byte>(told >> (24 - 8 * i)));
      const std::vector<byte> sixteen =
          target.begin(block{0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32}, 32);
      ASSERT_EQ(sixteen.size(), 32u);
      for (u32 i = 0; i < 8; ++i) EXPECT_EQ(sixteen[i], static_cast<byte>(last >> (56 - 8 * i)));
      EXPECT_EQ(sixteen[10], byte{2});
    }
  });
}

// An address of 64 bits counts with all of them, and so does a length.
TEST(scsi_rules, a_command_of_16_bytes_stays_within_the_medium) {
  struct row {
    block cdb;
    u32 sectors;
    bool refused;
  };
  with_target([](medium&, scsi_target& target) {
    for (const u8 opcode : {u8{0x88}, u8{0x8A}})
      for (const row& r :
           {row{{opcode, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 0, 1}, 1, false},
            row{{opcode, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0}, 0, false},
            row{{opcode, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 0, 0, 2}, 2, true},
            row{{opcode, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, 1, true},
            row{{opcode, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 1, true},
            row{{opcode, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 1}, 1, true},
            row{{opcode, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}, 65536, true}}) {
        target.begin(r.cdb, r.sectors * SECTOR_SIZE);
        EXPECT_EQ(target.failed(), r.refused) << int{opcode} << ", " << r.sectors;
        if (r.refused) {
          EXPECT_EQ(target.begin(request_sense, 18)[12], byte{0x21});
        }
      }
  });
}

// Both forms move the same sectors.
TEST(scsi_rules, what_16_bytes_have_written_10_bytes_read) {
  with_target([](medium&, scsi_target& target) {
    target.begin(block{0x8A, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1}, SECTOR_SIZE);
    EXPECT_TRUE(target.take(std::vector<byte>(SECTOR_SIZE, byte{7})));
    EXPECT_TRUE(target.finish(true));
    EXPECT_EQ(target.begin(block{0x28, 0, 0, 0, 0, 3, 0, 0, 1}, SECTOR_SIZE)[511], byte{7});
    EXPECT_EQ(target.begin(block{0x88, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1}, SECTOR_SIZE)[0],
              byte{7});
  });
}

TEST(scsi_rules, an_inquiry_may_be_short) {
  with_target([](medium&, scsi_target& target) {
    for (const u32 length : {5u, 8u, 35u, 36u}) {
      target.inquiry_length = length;
      const std::vector<byte> data = target.begin(inquiry, 36);
      ASSERT_EQ(data.size(), length);
      EXPECT_EQ(data[4], static_cast<byte>(length - 5));
    }
  });
}

TEST(scsi_rules, command_blocks_have_the_length_of_their_group) {
  for (const auto& [opcode, length] : {std::pair{0x00, 6u},
                                       {0x1F, 6u},
                                       {0x20, 10u},
                                       {0x5F, 10u},
                                       {0x80, 16u},
                                       {0x9F, 16u},
                                       {0xA0, 12u}})
    EXPECT_EQ(scsi_target::length_of(static_cast<u8>(opcode)), length);
}

TEST(scsi_rules, a_reset_of_the_stick_drops_the_cache) {
  run(1, [] {
    medium storage(64);
    timeline time;
    usb_stick stick(storage, time);
    fill_cache(storage);
    stick.bus_reset();
    expect_dropped(storage);
  });
}

TEST(scsi_rules, a_stick_without_a_controller_is_no_better) {
  medium storage(64);
  storage.fault = [](block_command cmd, lba, u32) {
    return cmd == block_command::flush ? std::optional(error::eio) : std::nullopt;
  };
  run(1, [&] {
    storage.plug();
    fill_cache(storage);
    EXPECT_FALSE(storage.device().flush());
    expect_dropped(storage);
  });
}

}  // namespace
}  // namespace sim
