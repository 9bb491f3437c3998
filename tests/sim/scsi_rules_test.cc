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
