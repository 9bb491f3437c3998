// What one card of a reader was like says nothing of the next one (unit.h, trouble.h), and the next
// one is found, also when the news of it was lost.
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/drivers/usb/card_slots.h"
#include "tests/drivers/usb/listed.h"
#include "tests/drivers/usb/meddling.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr scsi_target::sense absent{2, 0x3A, 0}, busy{2, 4, 1};

// Slot 2 has a card of no use (sectors of 4096 bytes). While a command of slot 1 hangs, or one of
// its own, that card is exchanged for a good one; the reset clears the news of it (SAM-5, 5.14).
TEST(usb_next_card, that_comes_before_a_reset_is_looked_at) {
  for (const u8 lun : {u8{0}, u8{1}})
    run(1, [=] {
      two_cards r;
      r.second.disk.reset_clears_attentions = true;
      r.second.disk.block_size = 4096;
      exchange(r.second.disk);
      sleep_for(5_s);
      ASSERT_FALSE(r.of(200));
      bool hung = false;
      r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.lun != lun || cbw.cdb[0] != test_unit_ready || std::exchange(hung, true)) return;
        a.silent = true;
        r.second.disk.block_size = SECTOR_SIZE;  // another card
        exchange(r.second.disk);
      };
      sleep_for(120_s);
      EXPECT_TRUE(hung);
      EXPECT_TRUE(r.of(100));
      EXPECT_TRUE(r.of(200)) << "the good card is never found";
      r.finish();
    });
}

// The same in the only slot of a reader that tells of the reset, or does not.
TEST(usb_next_card, is_looked_at_after_a_reset_that_is_told_or_not) {
  for (const bool tells : {false, true})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      stick.disk.block_size = 4096;
      stick.disk.reset_clears_attentions = true;
      stick.disk.tells_of_resets = tells;
      served_stick s(stick);
      sleep_for(5_s);
      stick.meddle = [&, once = false](const command_block_wrapper& cbw,
                                       fake_stick::answer& a) mutable {
        if (cbw.cdb[0] != test_unit_ready || std::exchange(once, true)) return;
        a.silent = true;
        stick.disk.block_size = SECTOR_SIZE;
        exchange(stick.disk);
      };
      EXPECT_TRUE(s.await_arrival()) << tells;
      s.finish();
    });
}

// The card with a bad place is exchanged for a smaller one, quicker than two looks, and the reader
// tells it (06/28): what was wrong with the first one is not wrong with this one.
TEST(usb_next_card, has_no_bad_places_of_one_of_another_size) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = a.silent || (cbw.cdb[0] == write_10 && cbw.cdb[5] == 8);
    };
    end_plugs(s, 3, block_command::write, 8);
    dma_block block;
    ASSERT_TRUE(s.await_arrival());
    EXPECT_FALSE(block.move(*s.current, block_command::write, 8));
    stick.meddle = nullptr;
    stick.disk.claimed_last_lba = 1023;  // the other card has half as many sectors
    exchange(stick.disk);
    sleep_for(3_s);
    ASSERT_TRUE(s.await_arrival());
    ASSERT_EQ(s.current->identity.sectors, 1024u);
    const u32 writes = stick.count(write_10);
    EXPECT_TRUE(block.move(*s.current, block_command::write, 8));
    EXPECT_EQ(stick.count(write_10), writes + 1) << "it was not even sent";
    s.finish();
  });
}

// SPC-4, 6.4.2: qualifier 1: no device is connected now, but the unit can have one.
TEST(usb_next_card, is_found_in_a_slot_that_was_not_connected) {
  run(1, [] {
    media_list media;
    fake_stick stick(100);
    auto& second = stick.add_unit(200);
    stick.disk.removable_medium = second.disk.removable_medium = true;
    bool empty = true;
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun == 1 && cbw.cdb[0] == inquiry && empty) a.data[0] = byte{0x20};
    };
    fiber task = serve_in_a_task(stick);
    sleep_for(5_s);
    ASSERT_TRUE(media.of(100));
    ASSERT_FALSE(media.of(200));
    empty = false;
    exchange(second.disk);
    sleep_for(120_s);
    EXPECT_TRUE(media.of(200)) << "the card is never found";
    stick.pull();
    task.join();
  });
}

// What a card had hung on, or had told too much of, is asked of the next one again, also when the
// slot was looked at only once between them.
TEST(usb_next_card, is_asked_what_its_predecessor_hung_on) {
  for (const duration away : {2'500_ms, 6_s})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      stick.disk.claimed_last_lba = 2048;  // one too many
      stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = cbw.cdb[0] == mode_sense;
      };
      served_stick s(stick);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_EQ(s.current->identity.sectors, 2048u);
      EXPECT_FALSE(s.current->write_protected);
      sleep_for(60_s);
      stick.meddle = nullptr;
      stick.storage.write_protected = true;
      stay_empty(stick.disk, away);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_TRUE(s.current->write_protected);
      EXPECT_EQ(s.current->identity.sectors, 2048u);
      s.finish();
    });
}

// The card is exchanged for one of another size quicker than two looks.
TEST(usb_next_card, of_another_size_is_asked_for_its_write_protection) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.cdb[0] == mode_sense;
    };
    served_stick s(stick);
    ASSERT_TRUE(s.await_arrival());
    stick.meddle = nullptr;
    stick.disk.claimed_last_lba = 1023;
    stick.storage.write_protected = true;
    exchange(stick.disk);
    sleep_for(3_s);
    ASSERT_TRUE(s.await_arrival());
    EXPECT_EQ(s.current->identity.sectors, 1024u);
    EXPECT_TRUE(s.current->write_protected);
    s.finish();
  });
}

// After each reset the reader needs some time to find its card again. It is the same one.
TEST(usb_next_card, is_not_the_one_that_is_found_late_after_a_reset) {
  for (const scsi_target::sense missing : {scsi_target::sense{2, 0x3A, 0}, {2, 4, 1}})
    for (const u8 question : {mode_sense, read_capacity})
      run(1, [=] {
        two_cards r;
        u32 resets = 0;
        instant found = now();
        r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
          if (std::exchange(resets, r.stick.resets) != r.stick.resets) found = now() + 3_s;
          auto& failing = r.second.disk.never_succeeds;
          if (now() < found)
            failing[test_unit_ready] = missing;
          else
            failing.erase(test_unit_ready);
          a.silent = cbw.lun == 1 && cbw.cdb[0] == question;
        };
        exchange(r.second.disk);
        sleep_for(600_s);
        EXPECT_LE(r.stick.resets, 8u);
        EXPECT_TRUE(r.of(100));
        r.finish();
      });
}

// A card of no use was exchanged before a reset, and the next one is not ready yet: lsusb says
// nothing of the first one any more.
TEST(usb_next_card, that_is_becoming_ready_is_not_called_useless) {
  run(1, [] {
    two_cards r;
    r.second.disk.block_size = 4096;
    exchange(r.second.disk);
    sleep_for(3_s);
    ASSERT_NE(listed().find("4096"), std::string::npos) << listed();
    r.stick.meddle = [&, once = false](const command_block_wrapper& cbw,
                                       fake_stick::answer& a) mutable {
      if (cbw.lun != 0 || cbw.cdb[0] != test_unit_ready || std::exchange(once, true)) return;
      a.silent = true;
      r.second.disk.block_size = SECTOR_SIZE;
      r.second.disk.never_succeeds[test_unit_ready] = {2, 4, 1};
    };
    sleep_for(30_s);
    EXPECT_EQ(listed().find("4096"), std::string::npos) << listed();
    r.finish();
  });
}

// SPC-4, 6.4.2: a unit that is not connected now. Of the medium it tells nothing in the same answer
// (usb_next_card has the same with the removable bit).
TEST(usb_next_card, is_found_in_a_slot_that_tells_nothing_but_that_it_is_empty) {
  run(1, [] {
    media_list media;
    fake_stick stick(100);
    auto& second = stick.add_unit(200);
    stick.disk.removable_medium = second.disk.removable_medium = true;
    bool empty = true;
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun != 1 || cbw.cdb[0] != inquiry || !empty) return;
      a.data[0] = byte{0x20};
      a.data[1] = byte{0};
    };
    fiber task = serve_in_a_task(stick);
    sleep_for(5_s);
    empty = false;
    exchange(second.disk);
    sleep_for(120_s);
    EXPECT_TRUE(media.of(200)) << listed();
    stick.pull();
    task.join();
  });
}

// The size is known only two seconds after the card is ready.
TEST(usb_next_card, is_found_when_its_size_is_known_late) {
  for (const u32 size : {0u, 512u})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      if (size == 0) stick.disk.block_size = 0;
      stick.disk.claimed_last_lba = 0;
      served_stick s(stick);
      sleep_for(2_s);
      stick.disk.block_size = SECTOR_SIZE;
      stick.disk.claimed_last_lba.reset();
      EXPECT_TRUE(s.await_arrival());
      s.finish();
    });
}

// The first card has executed SYNCHRONIZE CACHE; the next one does not know it.
TEST(usb_next_card, may_know_no_synchronize_cache) {
  run(1, [] {
    fake_stick stick;
    take_media(stick);
    served_stick s(stick);
    ASSERT_TRUE(s.await_arrival());
    EXPECT_TRUE(s.current->flush());
    stay_empty(stick.disk, 6_s);
    stick.disk.never_succeeds[synchronize] = {5, 0x20, 0};
    stick.disk.claimed_last_lba = 1023;
    ASSERT_TRUE(s.await_arrival());
    ASSERT_EQ(s.current->identity.sectors, 1024u);
    EXPECT_TRUE(s.current->flush());
    s.finish();
  });
}

// MODE SENSE is answered with "becoming ready" for a second.
TEST(usb_next_card, has_time_to_tell_its_write_protection) {
  run(1, [] {
    two_cards r;
    r.second.storage.write_protected = true;
    r.second.disk.never_succeeds[mode_sense] = busy;
    exchange(r.second.disk);
    sleep_for(2_s);
    r.second.disk.never_succeeds.clear();
    sleep_for(5_s);
    ASSERT_TRUE(r.of(200));
    EXPECT_TRUE(r.of(200)->write_protected);
    r.finish();
  });
}

// The first card hangs on MODE SENSE. It is exchanged for a protected one of the same size, and the
// reader tells it (06/28), without any reset. Or the slot was empty for 2.5 seconds.
TEST(usb_next_card, of_the_same_size_is_asked_for_its_write_protection) {
  for (const duration away : {0_s, 1'200_ms, 2'100_ms})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
        a.silent = cbw.cdb[0] == mode_sense;
      };
      served_stick s(stick);
      ASSERT_TRUE(s.await_arrival());
      sleep_for(30_s);
      stick.meddle = nullptr;
      stick.storage.write_protected = true;
      if (away == 0_s)
        exchange(stick.disk);
      else
        stay_empty(stick.disk, away);
      sleep_for(3_s);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_TRUE(s.current->write_protected) << away.milliseconds() << " ms";
      s.finish();
    });
}

// An examination is made at most three times. In each one a question hangs, and in the last one the
// card is exchanged meanwhile; the reset clears the news. No card has the size of the former one,
// or its protection.
TEST(usb_next_card, is_not_mixed_up_with_the_one_that_is_examined) {
  for (const u8 last : {mode_sense, read_10})
    run(1, [=] {
      fake_stick stick;
      take_media(stick);
      stick.disk.reset_clears_attentions = true;
      stick.disk.claimed_last_lba = 1023;
      const u8 questions[] = {last, last == read_10 ? mode_sense : read_10, last};
      u32 tries = 0;
      bool hung = false;
      stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.cdb[0] == read_capacity) ++tries, hung = false;
        if (tries == 0 || tries > 3 || cbw.cdb[0] != questions[tries - 1]) return;
        if (std::exchange(hung, true)) return;
        a.silent = true;
        if (tries < 3) return;
        stick.disk.claimed_last_lba.reset();
        stick.storage.write_protected = true;
        exchange(stick.disk);
      };
      served_stick s(stick);
      ASSERT_TRUE(s.await_arrival());
      EXPECT_EQ(s.current->identity.sectors, 2048u);
      EXPECT_TRUE(s.current->write_protected);
      s.finish();
    });
}

// It is asked thirty times.
TEST(usb_next_card, is_used_though_it_never_has_time_for_its_mode_pages) {
  run(1, [] {
    two_cards r;
    u32 asked = 0;
    r.second.disk.never_succeeds[mode_sense] = busy;
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer&) {
      if (cbw.lun == 1 && cbw.cdb[0] == read_capacity) ++asked;
    };
    exchange(r.second.disk);
    for (u32 i = 0; i < 100 && asked < 29; ++i) sleep_for(500_ms);
    sleep_for(500_ms);
    EXPECT_FALSE(r.of(200));
    EXPECT_EQ(asked, 29u);
    sleep_for(3_s);
    EXPECT_TRUE(r.of(200));
    EXPECT_EQ(asked, 30u);
    r.finish();
  });
}

}  // namespace
}  // namespace usb::storage
