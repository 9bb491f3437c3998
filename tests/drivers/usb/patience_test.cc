// Units that need time (02/04), in use and while they are examined, and examinations that fail
// (usb_disk.h, unit.h).
#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "hal/clock.h"
#include "tests/drivers/usb/card_slots.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

TEST(usb_patience, a_card_in_use_that_needs_time_holds_up_no_other) {
  run(1, [] {
    two_cards r;
    r.second.disk.never_succeeds[read_10] = {2, 0x04, 1};
    bool done = false;
    const fiber user = spawn("user", [&] {
      dma_block block;
      EXPECT_TRUE(block.move(*r.of(200), block_command::read, 8));
      done = true;
    });
    const instant end = now() + 10_s;
    while (now() < end) {
      dma_block block;
      const instant begun = now();
      EXPECT_TRUE(block.move(*r.of(100), block_command::read, 8));
      EXPECT_LT((now() - begun).milliseconds(), 100);
      sleep_for(37_ms);
    }
    EXPECT_FALSE(done);
    r.second.disk.never_succeeds.clear();
    user.join();
    EXPECT_TRUE(done);
    r.finish();
  });
}

TEST(usb_patience, a_pull_ends_the_request_that_waits) {
  run(1, [] {
    two_cards r;
    block_device& disk = *r.of(200);
    r.second.disk.never_succeeds[read_10] = {2, 0x04, 1};
    const fiber user = spawn("user", [&] {
      dma_block block;
      EXPECT_FALSE(block.move(disk, block_command::read, 8));
    });
    sleep_for(1_s);
    r.second.disk.never_succeeds[test_unit_ready] = {2, 0x3A, 0};
    sleep_for(2_s);
    user.join();
    r.finish();
    EXPECT_EQ(requests_in_use(), 0u);
  });
}

// 02/04/02: it waits for START STOP UNIT, in use as well.
TEST(usb_patience, a_disk_that_wants_to_be_started_is_started) {
  for (const u8 opcode : {read_10, synchronize, mode_sense, test_unit_ready}) {
    const auto prepare = [=](fake_stick& stick) {
      stick.meddle = [&stick](const command_block_wrapper& cbw, fake_stick::answer&) {
        if (cbw.cdb[0] == start_stop) stick.disk.never_succeeds.clear();
      };
      if (opcode == mode_sense || opcode == test_unit_ready)
        stick.disk.never_succeeds[test_unit_ready] = {2, 0x04, 2};
    };
    with_disk(prepare, [=](served_stick& s, block_device& disk) {
      const bool early = opcode == mode_sense || opcode == test_unit_ready;
      if (early) {
        EXPECT_LT((now() - instant{}).milliseconds(), 1000) << "it is started at once";
      }
      if (!early) s.stick.disk.never_succeeds[opcode] = {2, 0x04, 2};
      dma_block block;
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
      EXPECT_TRUE(disk.flush());
      EXPECT_EQ(s.stick.count(start_stop), 1u);
      EXPECT_EQ(s.departures, 0u);
    });
  }
}

// A disk that needs time has half a minute for all its requests together, not each of them. Then
// its plug ends, for all of them: none is an error of the medium.
TEST(usb_patience, ends_with_the_plug) {
  for (const u8 opcode : {read_10, write_10, synchronize})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      disk.hold();
      s.stick.disk.never_succeeds[opcode] = {2, 0x04, 1};
      const instant begun = now();
      std::vector<fiber> users;
      std::vector<dma_block> blocks(5);
      for (u32 i = 0; i < 5; ++i)
        users.push_back(spawn("user", [&, i] {
          if (opcode == synchronize) {
            EXPECT_EQ(disk.flush(), fail(error::enodev));
            return;
          }
          const auto cmd = opcode == read_10 ? block_command::read : block_command::write;
          static_cast<void>(blocks[i].move(disk, cmd, 8 + 20 * i));
          EXPECT_FALSE(blocks[i].head.b_error);
        }));
      for (const fiber& user : users) user.join();
      EXPECT_GE((now() - begun).milliseconds(), 29'000);
      EXPECT_LE((now() - begun).milliseconds(), 31'000);
      EXPECT_TRUE(disk.gone());
      EXPECT_TRUE(said("usb 0-1: not ready for half a minute; its medium is looked at anew\n"));
      disk.drop();
      s.stick.disk.never_succeeds.clear();
      block_device* const again = s.await_arrival();
      ASSERT_TRUE(again);
      EXPECT_EQ(s.departures, 1u);
      EXPECT_TRUE(blocks[0].move(*again, block_command::write, 8));
      EXPECT_TRUE(again->flush());
    });
}

TEST(usb_patience, is_one_for_all_requests) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    disk.hold();
    constexpr scsi_target::sense becoming_ready{2, 0x04, 1}, refused{5, 0x24, 0};
    s.stick.disk.never_succeeds[read_10] = becoming_ready;
    const instant begun = now();
    dma_block block, other;
    const fiber user = spawn("user", [&] {
      EXPECT_FALSE(block.move(disk, block_command::read, 8));
      s.stick.disk.never_succeeds[read_10] = becoming_ready;
      EXPECT_FALSE(other.move(disk, block_command::read, 16));
    });
    sleep_for(20_s);
    s.stick.disk.never_succeeds[read_10] = refused;
    user.join();
    EXPECT_TRUE(disk.gone());
    EXPECT_GE((now() - begun).milliseconds(), 29'000);
    EXPECT_LE((now() - begun).milliseconds(), 31'000);
    disk.drop();
    s.stick.disk.never_succeeds.clear();
    EXPECT_TRUE(s.await_arrival());
  });
}

TEST(usb_patience, begins_anew_after_a_success) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    for (u32 i = 0; i < 2; ++i) {
      dma_block block;
      s.stick.disk.failures.assign(200, {2, 0x04, 1});
      EXPECT_TRUE(block.move(disk, block_command::read, 8));
    }
    EXPECT_EQ(s.departures, 0u);
  });
}

// A disk that has needed time once, for a request that has failed, has time again an hour later.
TEST(usb_patience, begins_anew_after_an_hour) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    dma_block block;
    s.stick.disk.failures = {{2, 0x04, 1}, {5, 0x24, 0}};
    EXPECT_FALSE(block.move(disk, block_command::read, 8));
    sleep_for(3600_s);
    s.stick.disk.failures.assign(100, {2, 0x04, 1});
    EXPECT_TRUE(block.move(disk, block_command::read, 8));
    EXPECT_EQ(s.departures, 0u);
  });
}

// A place that is never ready, though the disk is, has ended three plugs and is bad then.
TEST(usb_patience, of_a_place_ends_three_plugs) {
  run(1, [] {
    fake_stick stick;
    served_stick s(stick);
    ASSERT_TRUE(s.await_arrival());
    stick.disk.never_succeeds[write_10] = {2, 0x04, 1};
    dma_block block;
    for (u32 plug = 1; plug <= 3; ++plug) {
      ASSERT_TRUE(s.await_arrival());
      EXPECT_TRUE(block.move(*s.current, block_command::write, 8)) << "it is held, and no error";
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, plug);
    }
    ASSERT_TRUE(s.await_arrival());
    EXPECT_EQ(block.move(*s.current, block_command::write, 8), fail(error::eio));
    EXPECT_EQ(s.departures, 3u);
    s.finish();
  });
}

// A flush has no place: the unit is given up.
TEST(usb_patience, of_a_flush_ends_four_plugs) {
  run(1, [] {
    fake_stick stick;
    served_stick s(stick);
    ASSERT_TRUE(s.await_arrival());
    stick.disk.never_succeeds[synchronize] = {2, 0x04, 1};
    for (u32 plug = 1; plug <= 4; ++plug) {
      ASSERT_TRUE(s.await_arrival());
      EXPECT_EQ(s.current->flush(), fail(error::enodev));
      sleep_for(1_ms);
      EXPECT_EQ(s.departures, plug);
    }
    EXPECT_TRUE(s.ended);
    EXPECT_TRUE(said("usb 0-1: it completes no SYNCHRONIZE CACHE, and is given up\n"));
    if (!s.ended) s.finish();
  });
}

// The first block has an error after 20 s, the second one ends the plug after ten more.
TEST(usb_patience, is_one_for_all_blocks_of_a_request) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    disk.hold();
    dma_blocks<8> blocks;
    u32 asked = 0;
    constexpr scsi_target::sense becoming_ready{2, 0x04, 1};
    s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer&) {
      if (cbw.cdb[0] != read_10) return;
      asked += cbw.cdb[8] == 16;
      const bool second = cbw.cdb[8] == 2 && cbw.cdb[5] == 22;
      if (asked == 5 || second) s.stick.disk.never_succeeds[read_10] = becoming_ready;
      if (asked == 5) asked = 100;
    };
    s.stick.storage.fault = [](block_command, lba first, u32) -> std::optional<error> {
      return first.value() < 100 ? std::optional(error::eio) : std::nullopt;
    };
    const instant begun = now();
    const fiber ready = spawn("ready", [&] {
      sleep_for(20_s);
      s.stick.disk.never_succeeds.clear();
    });
    blocks.move(disk, block_command::read, 20);
    ready.join();
    EXPECT_EQ(asked, 100u);
    EXPECT_TRUE(disk.gone());
    EXPECT_GE((now() - begun).milliseconds(), 29'000);
    EXPECT_LE((now() - begun).milliseconds(), 31'000);
    s.stick.storage.fault = {};
    disk.drop();
    s.stick.disk.never_succeeds.clear();
    EXPECT_TRUE(s.await_arrival());
  });
}

// Seconds until a hard disk runs. It answers START STOP UNIT at once if it is asked to; another one
// answers when it runs. Neither is reset.
TEST(usb_patience, a_hard_disk_has_time_to_start) {
  for (const bool knows_immediately : {true, false})
    run(1, [=] {
      fake_stick stick;
      stick.disk.never_succeeds[test_unit_ready] = {2, 0x04, 2};
      std::optional<fiber> motor;
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] != start_stop || motor) return;
        a.silent = !knows_immediately || cbw.cdb[1] != 1;
        stick.disk.never_succeeds[test_unit_ready] = {2, 0x04, 1};
        motor.emplace(spawn("motor", [&] {
          sleep_for(knows_immediately ? 40_s : 12_s);
          stick.disk.never_succeeds.clear();
          a.silent = false;
          wake_up(stick.activity);
        }));
      };
      served_stick s(stick);
      EXPECT_TRUE(s.await_arrival());
      EXPECT_EQ(stick.resets, 0u);
      EXPECT_GE((now() - instant{}).milliseconds(), 12'000);
      if (motor) motor->join();
      s.finish();
    });
}

TEST(usb_patience, an_examination_that_fails_is_made_again_less_and_less_often) {
  for (const bool takes_media : {false, true})
    run(1, [=] {
      fake_stick stick;
      stick.disk.removable_medium = takes_media;
      stick.disk.never_succeeds[read_capacity] = {4, 0x44, 0};
      served_stick s(stick);
      sleep_for(26_s);  // 100 ms, 200 ms ... 12.8 s
      EXPECT_GE(stick.count(inquiry), 8u);
      EXPECT_LE(stick.count(inquiry), 10u);
      EXPECT_FALSE(s.ended);
      EXPECT_TRUE(said("usb 0-1: the disk is not usable (error 5)\n"));
      stick.disk.never_succeeds.clear();
      const instant well = now();
      EXPECT_TRUE(s.await_arrival());
      EXPECT_LT((now() - well).milliseconds(), 12'900);
      s.finish();
    });
}

// One that fails only by lost answers is made again soon: on a bad cable long pauses would add up.
TEST(usb_patience, an_examination_with_lost_answers_is_made_again_soon) {
  run(1, [] {
    fake_stick stick;
    u32 failed = 0;
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == read_capacity && failed < 6) a.status = 2, ++failed;
    };
    served_stick s(stick);
    EXPECT_TRUE(s.await_arrival());
    EXPECT_GE(stick.count(inquiry), 3u);
    EXPECT_LT((now() - instant{}).milliseconds(), 500);
    s.finish();
  });
}

// A card of no use that tells of a reset again and again is examined less and less often.
TEST(usb_patience, a_card_of_no_use_that_flaps_is_examined_less_and_less_often) {
  run(1, [] {
    fake_stick stick;
    stick.disk.removable_medium = true;
    stick.disk.block_size = 4096;
    served_stick s(stick);
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer&) {
      if (cbw.cdb[0] == read_capacity) stick.disk.failures.assign(1, {6, 0x29, 0});
    };
    sleep_for(60_s);
    EXPECT_LE(stick.count(inquiry), 12u);
    s.finish();
  });
}

}  // namespace
}  // namespace usb::storage
