// Cards that reset their device again and again, in ways that no single count sees: the resets
// become rare, so that the other slot is of use (trouble.h: rest).
#include <gtest/gtest.h>

#include <algorithm>

#include "hal/clock.h"
#include "tests/drivers/usb/card_slots.h"
#include "tests/drivers/usb/meddling.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr scsi_target::sense absent{2, 0x3A, 0}, busy{2, 4, 1};

// The story of usb_next_card.is_not_the_one_that_is_found_late_after_a_reset, of a card that hangs
// at the first question when it is found.
TEST(usb_restless_card, a_card_found_late_that_hangs_at_its_readiness) {
  for (const u8 question : {test_unit_ready, inquiry})
    run(1, [=] {
      two_cards r;
      u32 resets = 0;
      instant found = now();
      r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (std::exchange(resets, r.stick.resets) != r.stick.resets) found = now() + 3_s;
        auto& failing = r.second.disk.never_succeeds;
        if (now() < found)
          failing[test_unit_ready] = absent;
        else
          failing.erase(test_unit_ready);
        a.silent = cbw.lun == 1 && cbw.cdb[0] == question && now() >= found;
      };
      exchange(r.second.disk);
      sleep_for(600_s);
      EXPECT_LE(r.stick.resets, 8u) << "question " << u32{question};
      r.finish();
    });
}

// usb_next_card.is_not_the_one_that_is_found_late_after_a_reset with a reader that needs 12
// seconds.
TEST(usb_restless_card, a_card_found_very_late_that_hangs) {
  run(1, [] {
    two_cards r;
    u32 resets = 0;
    instant found = now();
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (std::exchange(resets, r.stick.resets) != r.stick.resets) found = now() + 12_s;
      auto& failing = r.second.disk.never_succeeds;
      if (now() < found)
        failing[test_unit_ready] = absent;
      else
        failing.erase(test_unit_ready);
      a.silent = cbw.lun == 1 && cbw.cdb[0] == read_capacity;
    };
    exchange(r.second.disk);
    sleep_for(1200_s);
    EXPECT_LE(r.stick.resets, 20u);
    r.finish();
  });
}

// A slot without a card: the first command after a second without one is lost, and the next one is
// answered.
TEST(usb_restless_card, an_empty_slot_that_hangs_once_each_time) {
  run(1, [] {
    two_cards r;
    r.second.disk.never_succeeds[test_unit_ready] = absent;
    bool hung = false;
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun != 1 || cbw.cdb[0] != inquiry) return;
      hung = !hung;
      a.silent = hung;
    };
    sleep_for(600_s);
    EXPECT_LE(r.stick.resets, 8u);
    r.finish();
  });
}

// A dying card: its READ CAPACITY hangs, or fails with a medium error, in turn.
TEST(usb_restless_card, a_dying_card_that_hangs_at_every_other_examination) {
  run(1, [] {
    two_cards r;
    u32 examinations = 0;
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun != 1) return;
      if (cbw.cdb[0] == inquiry) ++examinations;
      if (examinations % 2 == 0)
        r.second.disk.never_succeeds[read_capacity] = {3, 0x11, 0};
      else
        r.second.disk.never_succeeds.erase(read_capacity);
      a.silent = cbw.cdb[0] == read_capacity && examinations % 2 == 1;
    };
    exchange(r.second.disk);
    sleep_for(3600_s);
    EXPECT_LE(r.stick.resets, 48u) << examinations << " examinations";
    r.finish();
  });
}

// A card of no use; TEST UNIT READY behind a pause hangs, and is answered when it is sent again.
TEST(usb_restless_card, a_card_of_no_use_whose_first_look_hangs) {
  run(1, [] {
    two_cards r;
    r.second.disk.block_size = 4096;
    exchange(r.second.disk);
    sleep_for(3_s);
    instant last = now();
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun != 1) return;
      a.silent = cbw.cdb[0] == test_unit_ready && now() - last >= 800_ms;
      last = a.silent ? now() + 5_s : now();
    };
    sleep_for(600_s);
    EXPECT_LE(r.stick.resets, 16u);
    r.finish();
  });
}

// Both cards: MODE SENSE hangs when the card was accessed since the reset. Directly behind a reset
// it is answered. Each examination succeeds, and ends the plug of the other card.
TEST(usb_restless_card, two_cards_that_reset_each_other) {
  run(1, [] {
    two_cards r;
    u32 resets = 0;
    std::array<bool, 2> accessed{};
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (std::exchange(resets, r.stick.resets) != r.stick.resets) accessed = {};
      if (cbw.cdb[0] == read_capacity) accessed[cbw.lun] = true;
      a.silent = cbw.cdb[0] == mode_sense && accessed[cbw.lun];
    };
    exchange(r.second.disk);
    sleep_for(1800_s);
    EXPECT_LE(r.stick.resets, 4u) << "each card has hung on the question twice";
    r.finish();
  });
}

// Reads the second card again and again, until it is given up or for this time.
void read_second(two_cards& r, std::initializer_list<u32> sizes, duration most,
                 duration pause = 100_ms) {
  const instant end = now() + most;
  for (u32 i = 0; !said("given up") && now() < end; sleep_for(pause))
    for (const u32 size : sizes)
      if (r.of(size)) {
        const device_reference over_the_sleep(*r.of(size));
        dma_block block;
        static_cast<void>(block.move(*r.of(size), block_command::read, 8 + 2 * (i++ % 40)));
      }
}

// Hostile: the size alternates, and the READs in use hang.
TEST(usb_restless_card, a_card_of_alternating_size_that_hangs_in_use) {
  run(1, [] {
    two_cards r;
    bool small = false;
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun != 1) return;
      if (cbw.cdb[0] == inquiry) small = !small;
      r.second.disk.claimed_last_lba = small ? 149 : 199;
      a.silent = cbw.cdb[0] == read_10 && cbw.cdb[5] < 140;
    };
    exchange(r.second.disk);
    read_second(r, {150, 200}, 3600_s);
    EXPECT_LE(r.stick.resets, 48u);
    r.finish();
  });
}

// For four seconds after a reset the reader tells a size of one sector; then it has found its card,
// and tells that it may be another one. The READs in use hang.
TEST(usb_restless_card, a_reader_that_tells_no_size_for_a_while_after_a_reset) {
  run(1, [] {
    two_cards r;
    u32 resets = 0;
    instant found = now();
    bool lost = false;
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (std::exchange(resets, r.stick.resets) != r.stick.resets) found = now() + 4_s, lost = true;
      if (lost) r.second.disk.claimed_last_lba = 0;
      if (lost && now() >= found) {
        lost = false;
        r.second.disk.claimed_last_lba.reset();
        exchange(r.second.disk);
      }
      a.silent = cbw.lun == 1 && cbw.cdb[0] == read_10 && cbw.cdb[5] < 140;
    };
    read_second(r, {200}, 3600_s);
    EXPECT_TRUE(said("given up"));
    EXPECT_LE(r.stick.resets, 16u);
    r.finish();
  });
}

// After a reset the reader believes for 200 ms that its card is there as before, then it needs some
// seconds to find it again. MODE SENSE hangs.
TEST(usb_restless_card, a_reader_that_loses_its_card_a_moment_after_a_reset) {
  run(1, [] {
    two_cards r;
    u32 resets = 0;
    instant lost = never, found = now();
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (std::exchange(resets, r.stick.resets) != r.stick.resets)
        lost = now() + 200_ms, found = now() + 5_s;
      auto& failing = r.second.disk.never_succeeds;
      if (now() >= lost && now() < found)
        failing[test_unit_ready] = absent;
      else
        failing.erase(test_unit_ready);
      a.silent = cbw.lun == 1 && cbw.cdb[0] == mode_sense;
    };
    exchange(r.second.disk);
    sleep_for(600_s);
    EXPECT_LE(r.stick.resets, 8u);
    r.finish();
  });
}

// READs say that the disk is to be started, and START STOP UNIT hangs; TEST UNIT READY succeeds.
TEST(usb_restless_card, a_card_that_hangs_when_it_is_started) {
  run(1, [] {
    two_cards r;
    r.second.disk.never_succeeds[read_10] = {2, 4, 2};
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.lun == 1 && cbw.cdb[0] == start_stop;
    };
    exchange(r.second.disk);
    read_second(r, {200}, 3600_s, 5_s);
    EXPECT_LE(r.stick.resets, 48u);
    r.finish();
  });
}

// A slot that tells "becoming ready" while it is empty, on a cable that disturbs one command in ten
// minutes. Then a card comes.
TEST(usb_restless_card, a_slot_whose_few_hangs_are_far_apart_is_kept) {
  for (const scsi_target::sense empty : {absent, busy})
    run(1, [=] {
      two_cards r;
      r.second.disk.never_succeeds[test_unit_ready] = absent;
      sleep_for(5_s);
      ASSERT_FALSE(r.of(200));
      r.second.disk.never_succeeds[test_unit_ready] = empty;
      instant next = now() + 600_s;
      r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.lun != 1 || cbw.cdb[0] != test_unit_ready || now() < next) return;
        a.status = 2;  // a phase error
        next = now() + 600_s;
      };
      sleep_for(3000_s);
      r.second.disk.never_succeeds.clear();
      exchange(r.second.disk);
      sleep_for(120_s);
      EXPECT_TRUE(r.of(200)) << "empty is told with " << u32{empty.asc};
      r.finish();
    });
}

// The reader itself answers INQUIRY; what reaches the card hangs.
TEST(usb_restless_card, a_dead_card_does_not_hold_up_the_other_one) {
  run(1, [] {
    two_cards r;
    r.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.lun == 1 && cbw.cdb[0] != inquiry;
    };
    exchange(r.second.disk);
    i64 longest = 0;  // seconds between two READs that succeed
    instant last = now();
    for (const instant end = now() + 300_s; now() < end; sleep_for(10_ms)) {
      if (!r.of(100)) continue;
      const device_reference over_the_sleep(*r.of(100));
      dma_block block;
      if (!block.move(*r.of(100), block_command::read, 8)) continue;
      longest = std::max(longest, (now() - last).seconds());
      last = now();
    }
    EXPECT_LE(longest, 30) << "seconds without the other card";
    r.finish();
  });
}

// READ CAPACITY hangs, and behind the reset the card is becoming ready: the examination ends with
// ebusy. The other card is to have a second between two resets, as usb_hang demands of one that
// ends with eio.
TEST(usb_restless_card, a_card_that_becomes_ready_behind_a_reset_rests_in_between) {
  run(1, [] {
    two_cards r;
    std::vector<instant> begun;
    instant ready = now();
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun == 0) return;
      if (cbw.cdb[0] == inquiry) begun.push_back(now());
      auto& failing = r.second.disk.never_succeeds;
      if (now() >= ready) failing.clear();
      a.silent = cbw.cdb[0] == read_capacity && now() >= ready;
      if (!a.silent) return;
      ready = now() + 5_s + 600_ms;
      failing[read_capacity] = failing[test_unit_ready] = busy;
    };
    exchange(r.second.disk);
    sleep_for(60_s);
    ASSERT_GE(begun.size(), 2u);
    EXPECT_GE((begun[1] - begun[0]).milliseconds(), 6'000) << "a hang, and a rest";
    r.finish();
  });
}

}  // namespace
}  // namespace usb::storage
