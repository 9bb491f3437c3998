// A disk of more than 2^32 - 1 sectors: its first 2 TiB are read and written with the commands of
// 16 bytes (SBC-3, 5.15 and 5.44), as other hosts do it.
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/drivers/usb/meddling.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr u64 largest_for_10 = 0xFFFF'FFFE;  // the last sector
constexpr scsi_target::sense unknown_command{5, 0x20, 0};

void tell_size(fake_stick& stick, u64 last) {
  stick.disk.claimed_last_lba = last;
  stick.disk.power_on();
}

void works(block_device& disk, medium& storage) {
  dma_block block;
  block.fill(0x5A);
  EXPECT_TRUE(block.move(disk, block_command::write, 0x102));
  EXPECT_TRUE(disk.flush());
  EXPECT_EQ(storage.durable()[0x102 * SECTOR_SIZE], byte{0x5A});
  block.fill(0);
  EXPECT_TRUE(block.move(disk, block_command::read, 0x102));
  EXPECT_EQ(block.head.b_data[BLOCK_SIZE - 1], byte{0x5A});
}

TEST(large_disk, needs_to_know_no_commands_of_10_bytes) {
  with_disk(
      [](fake_stick& stick) {
        tell_size(stick, largest_for_10 + 1);
        for (const u8 opcode : {read_10, write_10})
          stick.disk.never_succeeds[opcode] = unknown_command;
      },
      [](served_stick& s, block_device& disk) {
        works(disk, s.stick.storage);
        EXPECT_EQ(s.stick.count(read_10) + s.stick.count(write_10), 0u);
        EXPECT_EQ(s.stick.count(write_16), 1u);
      });
}

// Some bridges do not know them. The commands of 10 bytes reach all that is used.
TEST(large_disk, needs_to_know_no_commands_of_16_bytes) {
  with_disk(
      [](fake_stick& stick) {
        tell_size(stick, largest_for_10 + 1);
        for (const u8 opcode : {read_16, write_16})
          stick.disk.never_succeeds[opcode] = unknown_command;
      },
      [](served_stick& s, block_device& disk) {
        works(disk, s.stick.storage);
        EXPECT_EQ(s.stick.count(read_16), 1u);
        EXPECT_EQ(s.stick.count(write_16), 0u);
      });
}

TEST(large_disk, is_one_that_is_larger_than_10_bytes_can_tell) {
  with_disk(
      [](fake_stick& stick) {
        tell_size(stick, largest_for_10);
        for (const u8 opcode : {read_16, write_16})
          stick.disk.never_succeeds[opcode] = unknown_command;
      },
      [](served_stick& s, block_device& disk) {
        works(disk, s.stick.storage);
        EXPECT_EQ(s.stick.count(read_16) + s.stick.count(write_16), 0u);
      });
}

// A reader, and a small card after a large one.
TEST(large_disk, may_be_followed_by_a_small_one) {
  with_disk(
      [](fake_stick& stick) {
        take_media(stick);
        tell_size(stick, largest_for_10 + 1);
      },
      [](served_stick& s, block_device&) {
        s.stick.disk.claimed_last_lba.reset();
        s.stick.disk.failures.assign(1, {6, 0x28, 0});
        for (const u8 opcode : {read_16, write_16})
          s.stick.disk.never_succeeds[opcode] = unknown_command;
        sleep_for(3_s);
        ASSERT_TRUE(s.current);
        EXPECT_EQ(s.current->identity.sectors, 2048u);
        works(*s.current, s.stick.storage);
      });
}

// The bad places of such a disk are found as those of any other (trouble.h): a place that hangs
// costs its neighbours nothing, and is left alone after three requests.
TEST(large_disk, has_bad_places_as_others) {
  for (const block_command cmd : {block_command::read, block_command::write})
    with_disk([](fake_stick& stick) { tell_size(stick, largest_for_10 + 1); },
              [=](served_stick& s, block_device& disk) {
                const u8 opcode = cmd == block_command::read ? read_16 : write_16;
                u32 hung = 0;
                s.stick.meddle = [&, opcode](const command_block_wrapper& cbw,
                                             fake_stick::answer& a) {
                  const u32 first = u32{cbw.cdb[8]} << 8 | cbw.cdb[9], end = first + cbw.cdb[13];
                  a.silent = cbw.cdb[0] == opcode && first <= 14 && 14 < end;
                  hung += a.silent;
                };
                for (int i = 0; i < 5; ++i) {
                  dma_blocks<8> blocks;
                  blocks.move(disk, cmd, 8);
                  for (u32 k = 0; k < 8; ++k) {
                    const buffer_head& head = blocks.heads[k];
                    const bool moved = cmd == block_command::read ? head.b_uptodate : !head.b_dirt;
                    EXPECT_EQ(moved, k != 3) << k;
                  }
                }
                EXPECT_EQ(hung, 6u) << "twice in each of three requests";
                EXPECT_EQ(s.departures, 0u);
              });
}

// A unit whose WRITEs all hang is given up, whatever their form.
TEST(large_disk, that_can_only_be_read_is_given_up) {
  run(1, [] {
    fake_stick stick;
    tell_size(stick, largest_for_10 + 1);
    served_stick s(stick);
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.cdb[0] == write_16;
    };
    dma_block block;
    const instant end = now() + 3000_s;
    for (; !s.ended && now() < end; sleep_for(1_s)) {
      if (!s.await_arrival()) break;
      EXPECT_TRUE(block.move(*s.current, block_command::read, 8));
      static_cast<void>(block.move(*s.current, block_command::write, 8));
    }
    EXPECT_EQ(stick.resets, 8u);
    EXPECT_TRUE(s.ended);
    if (!s.ended) s.finish();
  });
}

}  // namespace
}  // namespace usb::storage
