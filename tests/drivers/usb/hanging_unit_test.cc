// Units that do not answer: their commands end only by a reset of the device (trouble.h).
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/drivers/usb/card_slots.h"
#include "tests/drivers/usb/listed.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

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
    EXPECT_EQ(s.stick.resets, 6u) << "twice in each of three requests: then the place is known";
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
      const instant end = now() + 3000_s;
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

// The first unit is a CD-ROM, the second one a card that hangs: the device is more than no disk.
TEST(usb_hang, the_reason_of_the_disk_is_told_of_a_stick_with_a_cd_rom) {
  run(1, [] {
    fake_stick stick(100);
    static_cast<void>(stick.add_unit(200));
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun == 0 && cbw.cdb[0] == inquiry) a.data[0] = byte{5};
      a.silent = cbw.lun == 1;
    };
    fiber task = serve_in_a_task(stick);
    sleep_for(300_s);
    task.join();
    ASSERT_TRUE(stick.facts.unused);
    EXPECT_NE(std::string(stick.facts.unused), "it is no disk");
  });
}

}  // namespace
}  // namespace usb::storage
