// Card readers with a unit that does not answer: the other one lives on (unit.h).
#include <gtest/gtest.h>

#include "hal/clock.h"
#include "tests/drivers/usb/card_slots.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

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
        for (u32 i = 0; !stop; ++i) {
          dma_block block;
          const u32 place = 8 + 4 * (i % 40);
          if (r.of(200)) static_cast<void>(block.move(*r.of(200), block_command::read, place));
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

// A card that hangs while it is examined: the other one has time between two examinations, too.
TEST(usb_hang, a_card_that_hangs_while_it_is_examined_rests_in_between) {
  run(1, [] {
    two_cards r;
    std::vector<instant> begun;
    r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun == 0) return;
      if (cbw.cdb[0] == inquiry) begun.push_back(now());
      a.silent = cbw.cdb[0] == read_capacity;
    };
    r.second.disk.failures.push_back({6, 0x28, 0});
    sleep_for(60_s);
    ASSERT_EQ(begun.size(), 4u);
    for (u32 i = 1; i < 4; ++i)
      EXPECT_GE((begun[i] - begun[i - 1]).milliseconds(), 11'000) << "two hangs, and a rest";
    EXPECT_TRUE(r.of(100));
    r.finish();
  });
}

// A card of no use whose TEST UNIT READY hangs: each reset may hide an exchange, so it is examined
// again, and that hangs, too.
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
    EXPECT_LE(r.stick.resets, 10u);
    EXPECT_TRUE(r.of(100)) << "and the other card has kept its plug";
    r.finish();
  });
}

}  // namespace
}  // namespace usb::storage
