// Bulk-Only Transport over a device that misbehaves (bot.h).
#include <gtest/gtest.h>

#include <vector>

#include "tests/drivers/usb/served_stick.h"

namespace usb::storage {
namespace {

using namespace sim;

TEST(usb_bot, believes_a_status_only_if_everything_fits) {
  command_status_wrapper csw;
  csw.signature = command_status_wrapper::good_signature;
  csw.tag = 7;
  EXPECT_TRUE(is_valid_status(csw, 13, 7));
  EXPECT_FALSE(is_valid_status(csw, 12, 7));
  EXPECT_FALSE(is_valid_status(csw, 13, 8));
  csw.status = 3;
  EXPECT_FALSE(is_valid_status(csw, 13, 7));
  csw.status = 2;
  EXPECT_TRUE(is_valid_status(csw, 13, 7));
  csw.signature = 0x53425356;
  EXPECT_FALSE(is_valid_status(csw, 13, 7));
}

// The ways in which a transport can fail once and go on.
using meddling = void (*)(fake_stick::answer&);
struct stumble {
  const char* name;
  meddling meddle;
  u32 resets;  // the number of port resets that follow
  u8 opcode;
};

class usb_bot_stumble : public testing::TestWithParam<stumble> {};

TEST_P(usb_bot_stumble, is_overcome) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    const stumble& how = GetParam();
    bool stumbled = false;
    s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& answer) {
      if (cbw.cdb[0] != how.opcode || stumbled) return;
      stumbled = true;
      how.meddle(answer);
    };
    dma_block block;
    block.fill(0x77);
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_EQ(disk.flush().has_value(), how.opcode != synchronize);
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(disk.flush());
    block.fill(0);
    EXPECT_TRUE(block.move(disk, block_command::read, 8));
    EXPECT_EQ(block.head.b_data[0], byte{0x77});
    EXPECT_TRUE(stumbled);
    EXPECT_EQ(s.stick.resets, how.resets);
    EXPECT_EQ(disk.caches_lost() > 0, how.resets > 0 || how.opcode == synchronize);
    EXPECT_EQ(s.departures, 0u);
  });
}

INSTANTIATE_TEST_SUITE_P(
    all, usb_bot_stumble,
    testing::Values(
        stumble{"stalled_status", [](fake_stick::answer& a) { a.stall_status = true; }, 0,
                write_10},
        stumble{"empty_status", [](fake_stick::answer& a) { a.empty_status = true; }, 0, read_10},
        stumble{"wrong_tag", [](fake_stick::answer& a) { --a.tag; }, 1, write_10},
        stumble{"wrong_signature", [](fake_stick::answer& a) { a.signature = 1; }, 1, read_10},
        stumble{"phase_error", [](fake_stick::answer& a) { a.status = 2; }, 1, write_10},
        stumble{"no_status", [](fake_stick::answer& a) { a.silent = true; }, 1, synchronize},
        stumble{"no_data", [](fake_stick::answer& a) { a.data_without_end = true; }, 1, read_10},
        stumble{"data_not_taken", [](fake_stick::answer& a) { a.data_without_end = true; }, 1,
                write_10},
        stumble{"failed_flush", [](fake_stick::answer& a) { a.status = 1; }, 0, synchronize},
        stumble{"failed_read_with_data", [](fake_stick::answer& a) { a.status = 1; }, 0, read_10},
        stumble{"stalled_and_failed_read",
                [](fake_stick::answer& a) {
                  a.stall_data = true;
                  a.status = 1;
                },
                0, read_10},
        stumble{"stalled_and_failed_write",
                [](fake_stick::answer& a) {
                  a.stall_data = true;
                  a.status = 1;
                },
                0, write_10}),
    [](const auto& one) { return one.param.name; });

// The host has no room for a transfer: the device is neither reset nor given up for that.
TEST(usb_bot, does_not_blame_the_device_for_want_of_room) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    s.stick.has_room = false;
    EXPECT_EQ(block.move(disk, block_command::write, 8).error(), error::enomem);
    EXPECT_EQ(disk.flush().error(), error::enomem);
    s.stick.has_room = true;
    EXPECT_TRUE(block.move(disk, block_command::write, 8));
    EXPECT_TRUE(disk.flush());
    EXPECT_EQ(s.stick.resets, 0u);
    EXPECT_EQ(s.departures, 0u);
  });
}

TEST(usb_bot, sends_no_command_whose_data_have_no_room) {
  run(1, [] {
    fake_stick stick;
    bulk_only transport(stick, fake_stick::interface());
    ASSERT_TRUE(transport.has_endpoints());
    const dma_buffer memory = *dma_buffer::allocate(BLOCK_SIZE, BLOCK_SIZE);
    const std::vector<dma_segment> segments(max_transfer_pieces + 1,
                                            dma_segment{memory.address(), SECTOR_SIZE});
    for (const bool write : {false, true}) {
      const u32 sectors = static_cast<u32>(segments.size());
      EXPECT_EQ(transport.execute(read_write_10(write, lba{}, sectors, segments)).error(),
                error::enomem);
      EXPECT_TRUE(transport.execute(
          read_write_10(write, lba{}, sectors - 1, std::span(segments).first(sectors - 1))));
    }
    EXPECT_EQ(stick.opcodes, (std::vector<u8>{read_10, write_10}));
    EXPECT_EQ(stick.resets, 0u);
  });
}

TEST(usb_bot, takes_a_status_in_the_place_of_small_data) {
  with_disk(
      [](fake_stick& stick) {
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] != 0x1A) return;
          answer.status = 1;
          answer.status_as_data = true;
        };
      },
      [](served_stick& s, block_device& disk) {
        EXPECT_FALSE(disk.write_protected);
        EXPECT_EQ(s.stick.resets, 0u);
      });
}

}  // namespace
}  // namespace usb::storage
