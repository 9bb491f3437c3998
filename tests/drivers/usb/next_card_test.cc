// What one card of a reader was like says nothing of the next one (unit.h, trouble.h), and the next
// one is found, also when the news of it was lost.
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/drivers/usb/card_slots.h"
#include "tests/drivers/usb/meddling.h"

namespace usb::storage {
namespace {

using namespace sim;

// Slot 2 has a card of no use (sectors of 4096 bytes). While a READ of slot 1 hangs, that card is
// exchanged for a good one; the reset clears the news of it (SAM-5, 5.14).
TEST(usb_next_card, that_comes_before_a_reset_is_looked_at) {
  run(1, [] {
    media_list media;
    fake_stick stick(100);
    auto& second = stick.add_unit(200);
    stick.disk.removable_medium = second.disk.removable_medium = true;
    second.disk.reset_clears_attentions = true;
    second.disk.block_size = 4096;
    fiber task = serve_in_a_task(stick);
    sleep_for(5_s);
    ASSERT_TRUE(media.of(100));
    ASSERT_FALSE(media.of(200));
    bool hung = false;
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun != 0 || cbw.cdb[0] != read_10 || hung) return;
      hung = a.silent = true;
      second.disk.block_size = SECTOR_SIZE;  // another card
      second.disk.failures.assign(1, {6, 0x28, 0});
    };
    dma_block block;
    static_cast<void>(block.move(*media.of(100), block_command::read, 0));
    EXPECT_TRUE(hung);
    sleep_for(120_s);
    EXPECT_TRUE(media.of(100));
    EXPECT_TRUE(media.of(200)) << "the good card is never found";
    stick.pull();
    task.join();
  });
}

// The same with a reader of one slot, whose TEST UNIT READY gets no answer.
TEST(usb_next_card, that_comes_before_a_reset_is_looked_at_in_the_only_slot) {
  run(1, [] {
    media_list media;
    fake_stick stick(100);
    stick.disk.removable_medium = stick.disk.reset_clears_attentions = true;
    stick.disk.block_size = 4096;
    fiber task = serve_in_a_task(stick);
    sleep_for(5_s);
    ASSERT_FALSE(media.of(100));
    bool hung = false;
    stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] != test_unit_ready || hung) return;
      hung = a.silent = true;
      stick.disk.block_size = SECTOR_SIZE;  // another card
      stick.disk.failures.assign(1, {6, 0x28, 0});
    };
    sleep_for(120_s);
    EXPECT_TRUE(hung);
    EXPECT_TRUE(media.of(100)) << "the good card is never found";
    stick.pull();
    task.join();
  });
}

// A card that is refused, and another card exchanged for it at a reset of which nothing is told.
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
        stick.disk.failures.assign(1, {6, 0x28, 0});
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
    dma_block block;
    for (u32 plug = 1; plug <= 3; ++plug) {
      ASSERT_TRUE(s.await_arrival());
      block_device& disk = *s.current;
      const device_reference over_the_sleep(disk);
      static_cast<void>(block.move(disk, block_command::write, 8));
      sleep_for(1_ms);
    }
    ASSERT_TRUE(s.await_arrival());
    EXPECT_FALSE(block.move(*s.current, block_command::write, 8));
    stick.meddle = nullptr;
    stick.disk.claimed_last_lba = 1023;  // the other card has half as many sectors
    stick.disk.failures.assign(1, {6, 0x28, 0});
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
    second.disk.failures.assign(1, {6, 0x28, 0});
    sleep_for(120_s);
    EXPECT_TRUE(media.of(200)) << "the card is never found";
    stick.pull();
    task.join();
  });
}

}  // namespace
}  // namespace usb::storage
