// Places at which a disk fails or hangs, and their neighbours in the same request (usb_disk.h,
// trouble.h): what can be moved is moved.
#include <gtest/gtest.h>

#include <optional>

#include "hal/clock.h"
#include "tests/drivers/usb/meddling.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr u8 opcode_of(block_command cmd) {
  return cmd == block_command::read ? read_10 : write_10;
}

// A command of this kind for this sector, or for others as well, is never answered.
meddling hang_at(block_command cmd, u32 sector, u32* hung = nullptr) {
  return [=](const command_block_wrapper& cbw, fake_stick::answer& a) {
    const u32 first = u32{cbw.cdb[4]} << 8 | cbw.cdb[5], end = first + cbw.cdb[8];
    const bool here = cbw.cdb[0] == opcode_of(cmd) && first <= sector && sector < end;
    a.silent = a.silent || here;
    if (here && hung) ++*hung;
  };
}

// Eight blocks from sector 8 on: all were moved but the one at sector 14.
void expect_all_but_one(const dma_blocks<8>& blocks, block_command cmd) {
  for (u32 i = 0; i < 8; ++i) {
    const buffer_head& head = blocks.heads[i];
    EXPECT_EQ(cmd == block_command::read ? head.b_uptodate : !head.b_dirt, i != 3) << i;
    EXPECT_FALSE(head.b_lock);
  }
}

// A disk that takes no media.
TEST(usb_bad_place, that_hangs_costs_its_neighbours_nothing) {
  for (const block_command cmd : {block_command::read, block_command::write})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      s.stick.meddle = hang_at(cmd, 14);
      dma_blocks<8> blocks;
      blocks.move(disk, cmd, 8);
      expect_all_but_one(blocks, cmd);
      EXPECT_EQ(s.departures, 0u);
      EXPECT_EQ(requests_in_use(), 0u);
    });
}

// It is not asked for again and again: each time costs a minute.
TEST(usb_bad_place, that_hangs_is_left_alone_in_the_end) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    u32 hung = 0;
    s.stick.meddle = hang_at(block_command::write, 14, &hung);
    for (u32 i = 0; i < 5; ++i) {
      dma_blocks<8> blocks;
      blocks.move(disk, block_command::write, 8);
      expect_all_but_one(blocks, block_command::write);
    }
    EXPECT_EQ(hung, 6u) << "twice in each of three requests";
    s.stick.meddle = nullptr;
    sleep_for(60_s);
    dma_block block;
    EXPECT_TRUE(block.move(disk, block_command::write, 14)) << "it is tried again";
  });
}

// Whatever the reason that the disk tells, or when it tells none: the bytes that can be written
// are.
TEST(usb_bad_place, that_fails_in_any_way_costs_its_neighbours_nothing) {
  for (const scsi_target::sense why : {scsi_target::sense{3, 0x0C, 0},
                                       {4, 0x44, 0},
                                       {5, 0x21, 0},
                                       {5, 0x24, 0},
                                       {7, 0x30, 0},
                                       {0, 0, 0}})
    for (const block_command cmd : {block_command::read, block_command::write})
      with_disk({}, [=](served_stick& s, block_device& disk) {
        s.stick.meddle = [&, why](const command_block_wrapper& cbw, fake_stick::answer& a) {
          const u32 first = u32{cbw.cdb[4]} << 8 | cbw.cdb[5], end = first + cbw.cdb[8];
          if (cbw.cdb[0] == opcode_of(cmd) && first <= 14 && 14 < end) a.status = 1;
          if (cbw.cdb[0] != request_sense) return;
          a.data[2] = byte{why.key};
          a.data[12] = byte{why.asc};
        };
        dma_blocks<8> blocks;
        blocks.move(disk, cmd, 8);
        expect_all_but_one(blocks, cmd);
        EXPECT_EQ(s.departures, 0u);
      });
}

// Some devices fail on more than 64 sectors at once; and a unit attention before that is no matter
// of a place.
TEST(usb_bad_place, is_none_when_only_large_requests_fail) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      const bool moves = cbw.cdb[0] == read_10 || cbw.cdb[0] == write_10;
      if (moves && cbw.cdb[8] > 8) a.residue = cbw.data_length;
    };
    for (const block_command cmd : {block_command::write, block_command::read}) {
      s.stick.disk.failures.push_back({6, 0x2A, 1});
      dma_blocks<8> blocks;
      blocks.move(disk, cmd, 8);
      for (const buffer_head& head : blocks.heads)
        EXPECT_TRUE(cmd == block_command::read ? head.b_uptodate : !head.b_dirt);
    }
  });
}

// A unit attention for every command is no matter of a place: the time for it is not spent for each
// block.
TEST(usb_bad_place, is_not_looked_for_when_the_disk_has_other_news) {
  for (const u8 asc : {u8{0x2A}, u8{0x3F}})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      s.stick.disk.never_succeeds[read_10] = {6, asc, 1};
      dma_blocks<8> blocks;
      const instant begun = now();
      blocks.move(disk, block_command::read, 8);
      EXPECT_LT((now() - begun).milliseconds(), 1500);
      for (const buffer_head& head : blocks.heads) EXPECT_FALSE(head.b_uptodate);
      s.stick.disk.never_succeeds.clear();
      dma_block block;
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
    });
}

// The same on a stick that says it takes media: three plugs end without a reason first.
TEST(usb_bad_place, without_a_reason_costs_its_neighbours_nothing) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    stick.storage.fault = [](block_command cmd, lba first, u32 n) -> std::optional<error> {
      const bool here = first.value() <= 14 && 14 < first.value() + n;
      return here && cmd == block_command::write ? std::optional(error::eio) : std::nullopt;
    };
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == request_sense) a.data.assign(18, byte{0});
    };
    for (u32 plug = 1; plug <= 4; ++plug) {
      ASSERT_TRUE(s.await_arrival());
      block_device& disk = *s.current;
      const device_reference over_the_sleep(disk);
      dma_blocks<8> blocks;
      blocks.move(disk, block_command::write, 8);
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, std::min(plug, 3u));
      if (plug == 4) expect_all_but_one(blocks, block_command::write);
    }
    s.finish();
  });
}

// The blocks that wait for a stick are written in the same requests each time.
TEST(usb_bad_place, in_the_same_request_each_time_is_found) {
  for (const block_command cmd : {block_command::read, block_command::write})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      served_stick s(stick);
      u32 hung = 0;
      stick.meddle = hang_at(cmd, 14, &hung);
      for (u32 plug = 1; plug <= 4; ++plug) {
        ASSERT_TRUE(s.await_arrival());
        block_device& disk = *s.current;
        const device_reference over_the_sleep(disk);
        dma_blocks<8> blocks;
        blocks.move(disk, cmd, 8);
        sleep_for(1_ms);
        if (plug == 4) expect_all_but_one(blocks, cmd);
      }
      EXPECT_EQ(hung, 3u);
      EXPECT_EQ(s.departures, 3u);
      s.finish();
    });
}

// A card is taken out, and another one is put in: what was wrong with the first one is not wrong
// with this one.
TEST(usb_bad_place, is_forgotten_with_its_card) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    stick.meddle = hang_at(block_command::write, 8);
    dma_block block;
    end_plugs(s, 3, block_command::write, 8);
    ASSERT_TRUE(s.await_arrival());
    EXPECT_FALSE(block.move(*s.current, block_command::write, 8));
    stay_empty(stick.disk, 6_s);
    EXPECT_FALSE(s.current);
    stick.meddle = nullptr;
    ASSERT_TRUE(s.await_arrival());
    EXPECT_TRUE(block.move(*s.current, block_command::write, 8));
    s.finish();
  });
}

// A card that its reader has lost for a moment, after a reset for example, is the same one.
TEST(usb_bad_place, is_remembered_when_its_card_was_away_for_a_moment) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    u32 hung = 0;
    const meddling hang = hang_at(block_command::write, 8, &hung);
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      hang(cbw, a);
      if (a.silent) stick.disk.fail_at(test_unit_ready, 1, {2, 0x3A, 0});
    };
    end_plugs(s, 6, block_command::write, 8);
    EXPECT_EQ(hung, 3u);
    s.finish();
  });
}

// More bad places than one keep apart, used in turn.
TEST(usb_bad_place, is_one_of_many) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == read_10 && cbw.cdb[4] == 0 && cbw.cdb[5] < 200) a.status = 2;
    };
    dma_block block;
    for (u32 i = 0; i < 16 * 4; ++i) {
      ASSERT_TRUE(s.await_arrival());
      EXPECT_TRUE(block.move(*s.current, block_command::read, 1000)) << "others are read";
      EXPECT_FALSE(block.move(*s.current, block_command::read, 100 + i % 16 * 4));
      sleep_for(1_ms);
    }
    EXPECT_EQ(s.departures, 16u * 3);
    s.finish();
  });
}

}  // namespace
}  // namespace usb::storage
