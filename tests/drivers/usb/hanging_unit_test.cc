// Units that do not answer: their commands end only by a reset of the device. And units that need
// time (02/04), or fail while they are examined (unit.h).
#include <gtest/gtest.h>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr u8 start_stop = 0x1B, read_capacity = 0x25, inquiry = 0x12;

// Every command of a disk in use hangs, and every reset succeeds.
TEST(usb_hang, a_disk_that_never_answers_is_given_up) {
  for (const bool takes_media : {false, true})
    run(1, [=] {
      fake_stick stick;
      stick.disk.removable_medium = takes_media;
      served_stick s(stick);
      block_device* disk = s.await_arrival();
      ASSERT_TRUE(disk);
      stick.meddle = [](const command_block_wrapper&, fake_stick::answer& a) { a.silent = true; };
      dma_block block;
      const instant begun = now();
      EXPECT_FALSE(block.move(*disk, block_command::read, 8));
      s.task->join();
      EXPECT_LT((now() - begun).milliseconds(), 75'000);
      EXPECT_EQ(stick.resets, 4u);
      EXPECT_EQ(s.departures, 1u);
      EXPECT_TRUE(stick.gone()) << "it counts as pulled";
      EXPECT_TRUE(said("usb 0-1: it does not answer any more, and is given up\n"));
    });
}

// The same when only REQUEST SENSE hangs.
TEST(usb_hang, so_is_one_that_never_tells_why_it_fails) {
  run(1, [] {
    fake_stick stick;
    served_stick s(stick);
    block_device* disk = s.await_arrival();
    ASSERT_TRUE(disk);
    stick.disk.never_succeeds[read_10] = stick.disk.never_succeeds[test_unit_ready] = {3, 0x11, 0};
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.cdb[0] == request_sense;
    };
    dma_block block;
    EXPECT_FALSE(block.move(*disk, block_command::read, 8));
    s.task->join();
    EXPECT_LE(stick.resets, 4u);
  });
}

// A disk with a place at which it hangs answers other commands, and is kept.
TEST(usb_hang, a_place_that_hangs_costs_no_disk) {
  with_disk({}, [](served_stick& s, block_device& disk) {
    s.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.cdb[0] == read_10 && cbw.cdb[5] == 8;
    };
    dma_block block;
    for (u32 i = 0; i < 6; ++i) {
      EXPECT_FALSE(block.move(disk, block_command::read, 8));
      EXPECT_TRUE(block.move(disk, block_command::read, 16));
    }
    EXPECT_EQ(s.stick.resets, 12u);
    EXPECT_EQ(s.departures, 0u);
    EXPECT_TRUE(block.move(disk, block_command::read, 16));
    const size_t asked = s.stick.opcodes.size();
    sleep_for(10_s);
    EXPECT_EQ(s.stick.opcodes.size(), asked) << "it takes no media: it is not looked at";
  });
}

// One whose READs all hang is of no use, whatever else it answers.
TEST(usb_hang, a_disk_that_moves_no_data_is_given_up) {
  for (const bool takes_media : {false, true})
    run(1, [=] {
      fake_stick stick;
      stick.disk.removable_medium = takes_media;
      served_stick s(stick);
      ASSERT_TRUE(s.await_arrival());
      u32 hung = 0;  // without those of the last sector, in examinations
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = cbw.cdb[0] == read_10;
        hung += a.silent && cbw.cdb[5] == 8;
      };
      dma_block block;
      const instant end = now() + 1200_s;
      for (; !s.ended && now() < end; sleep_for(1_s))
        if (block_device* const disk = s.await_arrival())
          static_cast<void>(block.move(*disk, block_command::read, 8));
      EXPECT_EQ(hung, 8u);
      EXPECT_TRUE(s.ended);
      if (!s.ended) s.finish();
    });
}

// The same of its WRITEs: that it is read in between forgives nothing.
TEST(usb_hang, a_disk_that_can_only_be_read_is_given_up) {
  for (const bool takes_media : {false, true})
    run(1, [=] {
      fake_stick stick;
      stick.disk.removable_medium = takes_media;
      served_stick s(stick);
      stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = cbw.cdb[0] == write_10;
      };
      dma_block block;
      const instant end = now() + 1200_s;
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

// The same of SYNCHRONIZE CACHE: READs and WRITEs in between forgive nothing, a completed flush
// does.
TEST(usb_hang, a_disk_that_completes_no_flush_is_given_up) {
  for (const bool takes_media : {false, true})
    run(1, [=] {
      fake_stick stick;
      stick.disk.removable_medium = takes_media;
      served_stick s(stick);
      bool hangs = true;
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = hangs && cbw.cdb[0] == synchronize;
      };
      const auto write_and_flush = [&] {
        dma_block block;
        ASSERT_TRUE(s.await_arrival());
        block_device& disk = *s.current;
        const device_reference over_the_sleep(disk);
        EXPECT_TRUE(block.move(disk, block_command::write, 8));
        EXPECT_TRUE(block.move(disk, block_command::read, 8));
        EXPECT_EQ(disk.flush().has_value(), !hangs);
        sleep_for(1_ms);
      };
      for (u32 i = 0; i < 3; ++i) write_and_flush();
      hangs = false;
      write_and_flush();
      hangs = true;
      for (u32 i = 0; i < 3; ++i) write_and_flush();
      EXPECT_FALSE(s.ended);
      EXPECT_FALSE(said("given up"));
      write_and_flush();
      sleep_for(1_ms);
      EXPECT_TRUE(s.ended);
      EXPECT_EQ(stick.resets, 7u);
      EXPECT_TRUE(said("usb 0-1: it completes no SYNCHRONIZE CACHE, and is given up\n"));
      if (!s.ended) s.finish();
    });
}

// One that hangs when it is asked after a second of rest, and answers everything else.
TEST(usb_hang, a_card_that_cannot_be_looked_at_is_given_up) {
  run(1, [] {
    fake_stick stick;
    stick.disk.removable_medium = true;
    instant last{};
    u32 resets = 0;
    stick.meddle = [&](const command_block_wrapper&, fake_stick::answer& a) {
      a.silent = now() - std::exchange(last, now()) > 900_ms && resets == stick.resets;
      resets = stick.resets;
    };
    served_stick s(stick);
    sleep_for(120_s);
    EXPECT_TRUE(s.ended);
    EXPECT_EQ(stick.resets, 4u);
    EXPECT_TRUE(said("usb 0-1: it does not answer any more, and is given up\n"));
    if (!s.ended) s.finish();
  });
}

// A disk that hangs at one command of its examination: four of them, and then it is let go.
TEST(usb_hang, a_disk_that_is_never_examined_is_given_up) {
  for (const bool takes_media : {false, true})
    for (const u8 opcode : {read_capacity, test_unit_ready})
      run(1, [=] {
        fake_stick stick;
        stick.disk.removable_medium = takes_media;
        stick.meddle = [=](const command_block_wrapper& cbw, fake_stick::answer& a) {
          a.silent = cbw.cdb[0] == opcode;
        };
        served_stick s(stick);
        sleep_for(200_s);
        EXPECT_TRUE(s.ended);
        if (!s.ended) s.finish();
        EXPECT_LE(stick.resets, 16u);
        EXPECT_GE(stick.releases, 1u);
        EXPECT_TRUE(said("given up\n"));
      });
}

// Two questions of an examination that are not necessary: for the mode pages and for the last
// sector. A device that hangs on one is asked twice, with a bound of 5 s, and never again.
bool is_question(const command_block_wrapper& cbw, u8 opcode) {
  return cbw.cdb[0] == opcode && (opcode != read_10 || (cbw.cdb[4] == 7 && cbw.cdb[5] == 0xFF));
}

TEST(usb_hang, on_a_question_is_remembered) {
  for (const bool takes_media : {false, true})
    for (const u8 opcode : {mode_sense, read_10})
      run(1, [=] {
        fake_stick stick;
        stick.disk.removable_medium = takes_media;
        u32 asked = 0;
        stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
          a.silent = is_question(cbw, opcode);
          asked += a.silent;
        };
        served_stick s(stick);
        ASSERT_TRUE(s.await_arrival());
        EXPECT_LT((now() - instant{}).milliseconds(), 11'000);
        const u32 before = asked;
        EXPECT_EQ(before, 2u);
        EXPECT_EQ(stick.resets, 2u);
        dma_block block;
        EXPECT_TRUE(block.move(*s.current, block_command::read, 8));
        stick.disk.failures.push_back({6, 0x29, 0});
        EXPECT_FALSE(block.move(*s.current, block_command::read, 8));
        sleep_for(1_ms);
        ASSERT_TRUE(s.await_arrival());
        EXPECT_EQ(s.arrivals, 2u);
        EXPECT_EQ(asked, before);
        EXPECT_TRUE(block.move(*s.current, block_command::read, 8));
        s.finish();
      });
}

// One lost answer is no reason.
TEST(usb_hang, on_a_question_may_be_noise) {
  for (const u8 opcode : {mode_sense, read_10})
    run(1, [=] {
      fake_stick stick;
      u32 asked = 0;
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (is_question(cbw, opcode)) a.silent = ++asked == 1;
      };
      served_stick s(stick);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_EQ(asked, 3u);
      stick.disk.failures.push_back({6, 0x29, 0});
      dma_block block;
      EXPECT_FALSE(block.move(*s.current, block_command::read, 8));
      sleep_for(1_ms);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_EQ(asked, 4u);
      s.finish();
    });
}

// On both of them: four resets in a row, and the disk is used.
TEST(usb_hang, on_two_questions_costs_no_disk) {
  for (const bool takes_media : {false, true})
    run(1, [=] {
      fake_stick stick;
      stick.disk.tells_of_resets = false;
      stick.disk.removable_medium = takes_media;
      stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = is_question(cbw, mode_sense) || is_question(cbw, read_10);
      };
      served_stick s(stick);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_EQ(stick.resets, 4u);
      dma_block block;
      EXPECT_TRUE(block.move(*s.current, block_command::write, 8));
      EXPECT_EQ(s.arrivals, 1u);
      s.finish();
    });
}

// Examinations that fail now and then are no reason: it is four in a row.
TEST(usb_hang, a_disk_that_is_examined_in_the_end_is_kept) {
  run(1, [] {
    fake_stick stick;
    u32 asked = 0;
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] != read_capacity || ++asked > 17) return;
      const bool fails =
          asked > 6 && asked <= 11;  // the fourth examination; it hangs in the others
      a.status = fails ? 1 : 2;
    };
    served_stick s(stick);
    EXPECT_TRUE(s.await_arrival());
    s.finish();
  });
}

// A card reader with two cards; the commands of the second one hang.
struct two_cards {
  explicit two_cards(bool takes_media = true) : stick(100), second(stick.add_unit(200)) {
    stick.disk.removable_medium = second.disk.removable_medium = takes_media;
    list() = {};
    set_media_listener({[](block_device& d) { list().push_back(&d); },
                        [](block_device& d) { std::erase(list(), &d); }});
    task.emplace(spawn("reader", [this] { usb::storage::serve(stick, fake_stick::interface()); }));
    sleep_for(100_ms);
  }
  block_device* of(u32 sectors) const {
    for (block_device* each : list())
      if (each->identity.sectors == sectors) return each;
    return nullptr;
  }
  void finish() {
    stick.pull();
    task->join();
    EXPECT_TRUE(list().empty());
  }
  static std::vector<block_device*>& list() {
    static std::vector<block_device*> all;
    return all;
  }

  fake_stick stick;
  fake_stick::logical_unit& second;
  std::optional<fiber> task;
};

TEST(usb_hang, a_card_that_hangs_is_given_up_and_the_other_one_lives_on) {
  run(1, [] {
    two_cards r;
    ASSERT_TRUE(r.of(100) && r.of(200));
    r.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.lun == 1;
    };
    sleep_for(60_s);
    EXPECT_TRUE(r.of(100));
    EXPECT_FALSE(r.of(200));
    EXPECT_EQ(r.stick.resets, 4u);
    EXPECT_TRUE(said("usb 0-1 unit 1: it does not answer any more, and is given up\n"));
    const u32 lost = r.of(100)->caches_lost();
    dma_block block;
    EXPECT_TRUE(block.move(*r.of(100), block_command::write, 8));
    EXPECT_TRUE(r.of(100)->flush());
    EXPECT_LE(r.of(100)->caches_lost(), lost + 1);
    r.finish();
  });
}

// A card whose READs hang and that is read again and again: the other one has time for its writes
// and a flush between two resets.
TEST(usb_hang, a_card_that_moves_no_data_leaves_time_to_the_other) {
  for (const bool takes_media : {false, true})
    run(1, [=] {
      two_cards r(takes_media);
      ASSERT_TRUE(r.of(100) && r.of(200));
      r.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = cbw.lun == 1 && cbw.cdb[0] == read_10;
      };
      bool stop = false;
      const instant begun = now();
      const fiber user = spawn("user", [&] {
        while (!stop) {
          dma_block block;
          if (r.of(200)) static_cast<void>(block.move(*r.of(200), block_command::read, 8));
          sleep_for(1_ms);
        }
      });
      u32 well = 0;
      for (; !said("given up") && now() < begun + 900_s; sleep_for(1_ms)) {
        block_device* const disk = r.of(100);
        if (!disk) continue;
        const device_reference over_the_sleep(*disk);
        const u32 lost = disk->caches_lost();
        dma_block block;
        bool good = true;
        for (u32 i = 0; i < 20 && good; ++i) {
          good = block.move(*disk, block_command::write, 8).has_value();
          sleep_for(50_ms);
        }
        good = good && disk->flush() && disk->caches_lost() == lost;
        well += good && !said("given up");
      }
      EXPECT_GE(well, 3u);
      EXPECT_TRUE(said("given up"));
      EXPECT_LT((now() - begun).seconds(), takes_media ? 700 : 400);
      stop = true;
      user.join();
      r.finish();
    });
}

// The same of a card whose WRITEs hang: that it is read in between does not shorten its rest.
TEST(usb_hang, a_card_that_can_only_be_read_rests_longer_and_longer) {
  run(1, [] {
    two_cards r;
    std::vector<instant> hung;
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.lun == 1 && cbw.cdb[0] == write_10;
      if (a.silent) hung.push_back(now());
    };
    dma_block block;
    for (u32 i = 0; !said("given up") && now() < instant{} + 600_s; sleep_for(1_ms)) {
      block_device* const disk = r.of(200);
      if (!disk) continue;
      const device_reference over_the_sleep(*disk);
      EXPECT_TRUE(block.move(*disk, block_command::read, 8));
      static_cast<void>(block.move(*disk, block_command::write, 10 + 2 * i++));
    }
    ASSERT_EQ(hung.size(), 8u);
    for (u32 i = 1; i < 8; ++i)
      EXPECT_GE((hung[i] - hung[i - 1]).seconds(), 30 + (1 << std::min(i, 5u))) << i;
    sleep_for(2_s);
    EXPECT_TRUE(r.of(100));
    r.finish();
  });
}

// A card of no use whose TEST UNIT READY hangs: the same bound.
TEST(usb_hang, a_card_of_no_use_does_not_reset_its_device_for_ever) {
  run(1, [] {
    two_cards r;
    r.second.disk.block_size = 4096;
    r.second.disk.failures.push_back({6, 0x28, 0});
    sleep_for(3_s);
    EXPECT_FALSE(r.of(200));
    r.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.lun == 1 && cbw.cdb[0] == test_unit_ready;
    };
    sleep_for(600_s);
    EXPECT_EQ(r.stick.resets, 4u);
    EXPECT_TRUE(r.of(100)) << "and the other card has kept its plug";
    r.finish();
  });
}

// --- a card that needs time while it is in use ---

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

// --- an examination that fails ---

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

// --- no SYNCHRONIZE CACHE ---

TEST(usb_no_cache, a_flush_asks_whether_the_medium_is_there) {
  with_disk(
      [](fake_stick& stick) {
        stick.disk.never_succeeds[synchronize] = {5, 0x20, 0};
      },
      [](served_stick& s, block_device& disk) {
        EXPECT_TRUE(disk.flush());
        EXPECT_TRUE(said("write through, though it tells of a write cache\n"));
        const u32 asked = s.stick.count(test_unit_ready);
        EXPECT_TRUE(disk.flush());
        EXPECT_EQ(s.stick.count(test_unit_ready), asked + 1);
        s.stick.disk.failures.push_back({6, 0x28, 0});
        EXPECT_EQ(disk.flush(), fail(error::enodev));
        block_device* again = s.await_arrival();
        ASSERT_TRUE(again);
        s.stick.disk.never_succeeds.clear();
        const u32 flushed = s.stick.count(synchronize);
        EXPECT_TRUE(again->flush());
        EXPECT_EQ(s.stick.count(synchronize), flushed + 1) << "another medium is asked anew";
      });
  with_disk(
      [](fake_stick& stick) {
        stick.disk.never_succeeds[synchronize] = {5, 0x20, 0};
        stick.disk.tells_write_cache = false;
      },
      [](served_stick&, block_device& disk) {
        EXPECT_TRUE(disk.flush());
        EXPECT_TRUE(said("taken to write through\n"));
      });
}

// --- one bad block among many ---

// A write or read of a place fails; a hardware error (key 4) may be one of the place, too.
TEST(usb_pieces, only_the_bad_block_of_a_request_fails) {
  for (const block_command cmd : {block_command::read, block_command::write})
    for (const u32 bad : {0u, 3u, 7u})
      for (const u8 key : {u8{3}, u8{4}, u8{0x0B}})
        with_disk({}, [=](served_stick& s, block_device& disk) {
          const u8 opcode = cmd == block_command::read ? read_10 : write_10;
          s.stick.disk.fault_key = key;
          s.stick.storage.fault = [=](block_command, lba first, u32 n) -> std::optional<error> {
            const u32 at = 20 + 2 * bad;
            if (first.value() <= at && at < first.value() + n) return error::eio;
            return {};
          };
          dma_blocks<8> blocks;
          blocks.move(disk, cmd, 20);
          for (u32 i = 0; i < 8; ++i) {
            const buffer_head& head = blocks.heads[i];
            EXPECT_EQ(cmd == block_command::read ? head.b_uptodate : !head.b_dirt, i != bad) << i;
            if (cmd == block_command::write) {
              EXPECT_EQ(s.stick.storage.newest(20 + 2 * i)[0] == static_cast<byte>(i + 1), i != bad)
                  << i;
            }
          }
          EXPECT_GE(s.stick.count(opcode), 5u + 7u + 5u) << "the whole, seven blocks, the bad one";
          EXPECT_EQ(requests_in_use(), 0u);
        });
}

// --- data that the device has left: it has failed, or its residue says so ---

TEST(usb_bot, the_data_of_a_failed_write_are_taken_back) {
  for (const u8 status : {u8{0}, u8{1}})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      bool once = false;
      s.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == write_10 && !std::exchange(once, true))
          a.status = status, a.residue = status ? 0 : BLOCK_SIZE, a.leave_data = true;
      };
      dma_block block;
      block.fill(0x5A);
      static_cast<void>(block.move(disk, block_command::write, 8));
      EXPECT_TRUE(block.move(disk, block_command::write, 10));
      EXPECT_EQ(s.stick.storage.newest(10)[0], byte{0x5A});
      EXPECT_EQ(s.stick.resets, 0u);
    });
}

}  // namespace
}  // namespace usb::storage
