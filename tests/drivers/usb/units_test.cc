// Devices of several logical units (unit.h): card readers, sticks that show a CD-ROM.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hal/clock.h"
#include "tests/drivers/usb/card_slots.h"
#include "tests/drivers/usb/listed.h"
#include "tests/fs/machine.h"

namespace usb::storage {
namespace {

using namespace sim;

constexpr scsi_target::sense no_medium{2, 0x3A, 0}, becoming_ready{2, 0x04, 1};

// A reader with four slots, of which the second and the last one hold a card. The cards have 100,
// 200, 300 and 400 sectors.
struct reader {
  explicit reader(bool takes_media) : stick(100) {
    slots = {&stick.disk};
    media = {&stick.storage};
    for (const u32 sectors : {200u, 300u, 400u}) {
      fake_stick::logical_unit& each = stick.add_unit(sectors);
      slots.push_back(&each.disk);
      media.push_back(&each.storage);
    }
    for (scsi_target* slot : slots) slot->removable_medium = takes_media, slot->power_on();
    take_out(0);
    take_out(2);
  }
  void take_out(size_t slot) { slots[slot]->never_succeeds[test_unit_ready] = no_medium; }
  void put_in(size_t slot) {
    slots[slot]->never_succeeds.clear();
    slots[slot]->failures.assign(1, {6, 0x28, 0});
  }

  fake_stick stick;
  std::vector<scsi_target*> slots;
  std::vector<medium*> media;
};

void with_reader(const std::function<void(reader&, media_list&)>& test, bool takes_media = true) {
  run(1, [&] {
    media_list media;
    reader r(takes_media);
    const fiber task = serve_in_a_task(r.stick);
    sleep_for(100_ms);
    test(r, media);
    r.stick.pull();
    task.join();
    EXPECT_EQ(media.size(), 0u);
    EXPECT_GE(r.stick.releases, 1u);
  });
}

TEST(usb_units, a_reader_has_a_disk_for_each_card) {
  with_reader([](reader& r, media_list& media) {
    EXPECT_TRUE(said("usb 0-1: 4 units\n"));
    ASSERT_EQ(media.size(), 2u);
    ASSERT_TRUE(media.of(200) && media.of(400));
    EXPECT_TRUE(said("usb 0-1 unit 1: SIM STICK"));
    dma_block block;
    for (const u32 sectors : {200u, 400u}) {
      block.fill(static_cast<u8>(sectors / 4));
      EXPECT_TRUE(block.move(*media.of(sectors), block_command::write, 8));
      EXPECT_TRUE(media.of(sectors)->flush());
    }
    for (size_t i = 0; i < 4; ++i) {
      const byte expected = i == 1 ? byte{50} : i == 3 ? byte{100} : byte{0};
      EXPECT_EQ(r.media[i]->durable()[8 * SECTOR_SIZE], expected) << i;
    }
    for (const u32 sectors : {200u, 400u}) {
      EXPECT_TRUE(block.move(*media.of(sectors), block_command::read, 8));
      EXPECT_EQ(block.head.b_data[0], static_cast<byte>(sectors / 4));
    }
  });
}

TEST(usb_units, cards_come_and_go_without_a_word_to_the_others) {
  with_reader([](reader& r, media_list& media) {
    block_device* const other = media.of(200);
    const attach_epoch before = media.of(400)->epoch;
    r.put_in(0);
    sleep_for(1100_ms);
    EXPECT_TRUE(media.of(100));
    r.take_out(3);
    sleep_for(1100_ms);
    EXPECT_FALSE(media.of(400));
    r.put_in(3);
    sleep_for(1300_ms);
    ASSERT_TRUE(media.of(400));
    EXPECT_NE(media.of(400)->epoch, before);
    EXPECT_EQ(media.of(200), other);
    EXPECT_FALSE(other->gone());
    EXPECT_EQ(other->caches_lost(), 0u);
  });
}

// A unit that fails to tell whether its card is there has not said that it is gone.
TEST(usb_units, a_card_is_there_until_it_is_said_to_be_gone) {
  for (const scsi_target::sense why : {scsi_target::sense{4, 0x44, 0}, {5, 0x20, 0}, {7, 0x27, 0}})
    with_reader([&](reader& r, media_list& media) {
      block_device* const disk = media.of(200);
      const attach_epoch before = disk->epoch;
      r.slots[1]->never_succeeds[test_unit_ready] = why;
      sleep_for(5_s);
      ASSERT_EQ(media.of(200), disk);
      EXPECT_EQ(disk->epoch, before);
      r.slots[1]->never_succeeds.clear();
      dma_block block;
      EXPECT_TRUE(block.move(*disk, block_command::read, 8));
    });
}

// A card that may have been exchanged is a card that was pulled; with a request under way, too. The
// same if the unit is said not to be there: QEMU 7.2 says so of every failure of a unit but the
// first one.
TEST(usb_units, a_changed_card_is_a_new_plug_of_its_unit_alone) {
  for (const scsi_target::sense why :
       {scsi_target::sense{6, 0x28, 0}, {6, 0x29, 0}, {2, 0x3A, 0}, {5, 0x25, 0}})
    with_reader([&](reader& r, media_list& media) {
      block_device* const other = media.of(400);
      const attach_epoch before = media.of(200)->epoch;
      dma_block block;
      r.slots[1]->failures.assign(1, why);
      EXPECT_FALSE(block.move(*media.of(200), block_command::read, 8));
      sleep_for(2_s);
      ASSERT_TRUE(media.of(200));
      EXPECT_NE(media.of(200)->epoch, before);
      EXPECT_EQ(media.of(400), other);
      EXPECT_TRUE(block.move(*media.of(200), block_command::write, 8));
    });
}

// A reference to the card that was taken out keeps its unit from the next card, and no other unit
// from anything.
TEST(usb_units, a_card_that_is_still_referred_to_holds_up_its_unit_alone) {
  with_reader([](reader& r, media_list& media) {
    block_device* const held = media.of(200);
    held->hold();
    r.take_out(1);
    sleep_for(2_s);
    EXPECT_FALSE(media.of(200));
    r.put_in(1);
    r.put_in(2);
    sleep_for(3_s);
    EXPECT_FALSE(media.of(200));
    EXPECT_TRUE(media.of(300));
    held->drop();
    sleep_for(200_ms);
    EXPECT_TRUE(media.of(200)) << "at once, not at the next look";
  });
}

// The device was reset for one unit: the write caches of all of them are in doubt, and each tells
// it with its next request. These units take no media.
TEST(usb_units, a_reset_for_one_unit_puts_the_caches_of_all_in_doubt) {
  with_reader(
      [](reader& r, media_list& media) {
        dma_block block;
        block_device& one = *media.of(200);
        block_device& other = *media.of(400);
        EXPECT_TRUE(block.move(other, block_command::write, 8));
        bool once = true;
        r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
          if (cbw.lun == 1 && cbw.cdb[0] == write_10 && std::exchange(once, false)) a.status = 2;
        };
        EXPECT_TRUE(block.move(one, block_command::write, 8));
        EXPECT_EQ(r.stick.resets, 1u);
        EXPECT_TRUE(other.flush());
        EXPECT_EQ(other.caches_lost(), 1u);
        EXPECT_EQ(one.caches_lost(), 1u);
        EXPECT_TRUE(other.flush());
        EXPECT_EQ(other.caches_lost(), 1u) << "once for each event";
        r.put_in(0);
        sleep_for(1100_ms);
        EXPECT_TRUE(media.of(100)->flush());
        EXPECT_EQ(media.of(100)->caches_lost(), 0u) << "nothing had been written to it";
      },
      false);
}

// The reset may have cleared the news of an exchange of any card: the plugs of all of them end. The
// news are lost whether the unit tells of the reset or of nothing.
TEST(usb_units, a_reset_for_one_unit_ends_the_plugs_of_all_cards) {
  for (const bool tells : {false, true})
    with_reader([=](reader& r, media_list& media) {
      block_device& other = *media.of(400);
      const device_reference over_the_sleep(other);
      r.slots[3]->reset_clears_attentions = true;
      r.slots[3]->tells_of_resets = tells;
      bool once = true;
      r.stick.meddle = [&](const command_block_wrapper& cbw, fake_stick::answer& a) {
        if (cbw.lun != 1 || cbw.cdb[0] != write_10 || !std::exchange(once, false)) return;
        a.status = 2;
        r.slots[3]->failures.assign(1, {6, 0x28, 0});
      };
      dma_block block;
      block.fill(0x5A);
      const fiber user = spawn("user", [&] {
        dma_block mine;
        static_cast<void>(mine.move(*media.of(200), block_command::write, 8));
      });
      user.join();
      static_cast<void>(block.move(other, block_command::write, 8));
      sleep_for(1_ms);
      EXPECT_TRUE(other.gone());
      EXPECT_EQ(r.media[3]->newest(8)[0], byte{0});
    });
}

TEST(usb_units, the_unit_that_has_failed_is_asked_why) {
  with_reader([](reader& r, media_list& media) {
    dma_block block;
    const size_t before = r.stick.units.size();
    r.slots[3]->failures.assign(1, {3, 0x11, 0});
    r.slots[1]->failures.assign(1, {6, 0x28, 0});
    EXPECT_TRUE(block.move(*media.of(400), block_command::read, 8));
    EXPECT_EQ(std::vector(r.stick.units.begin() + static_cast<long>(before), r.stick.units.end()),
              (std::vector<u8>{3, 3, 3}));
    EXPECT_EQ(r.stick.opcodes[before + 1], request_sense);
    EXPECT_FALSE(media.of(200)->gone());
  });
}

// No unit waits for more than a command of another one.
TEST(usb_units, requests_are_served_in_turn) {
  with_reader([](reader& r, media_list& media) {
    const size_t before = r.stick.units.size();
    r.stick.meddle = [](const command_block_wrapper&, fake_stick::answer&) { sleep_for(1_ms); };
    std::vector<fiber> users;
    std::vector<dma_block> blocks(12);
    for (u32 i = 0; i < 12; ++i)
      users.push_back(spawn("user", [&, i] {
        static_cast<void>(
            blocks[i].move(*media.of(i < 8 ? 200 : 400), block_command::read, i * 10));
      }));
    for (const fiber& user : users) user.join();
    std::vector<u8> served(r.stick.units.begin() + static_cast<long>(before), r.stick.units.end());
    ASSERT_EQ(served.size(), 12u);
    const auto last = std::find(served.rbegin(), served.rend(), u8{3});
    EXPECT_LE(served.rend() - last, 9) << "one of each in turn, as long as there are";
  });
}

TEST(usb_units, a_card_that_becomes_ready_slowly_holds_up_no_other) {
  with_reader([](reader& r, media_list& media) {
    r.put_in(0);
    r.slots[0]->never_succeeds[test_unit_ready] = becoming_ready;
    const instant end = now() + 10_s;
    while (now() < end) {
      dma_block block;
      const instant begun = now();
      EXPECT_TRUE(block.move(*media.of(200), block_command::read, 8));
      EXPECT_LT((now() - begun).milliseconds(), 600);
      sleep_for(37_ms);
    }
    EXPECT_FALSE(media.of(100));
    r.slots[0]->never_succeeds.clear();
    sleep_for(2_s);
    EXPECT_TRUE(media.of(100));
    EXPECT_FALSE(said("not usable"));
    r.slots[3]->failures.assign(100, becoming_ready);
    dma_block block;
    EXPECT_TRUE(block.move(*media.of(400), block_command::read, 8))
        << "in use it has half a minute";
  });
}

TEST(usb_units, a_pull_ends_all_of_them_at_once) {
  with_reader([](reader& r, media_list& media) {
    std::vector<fiber> users;
    std::vector<dma_block> blocks(2);
    r.stick.meddle = [](const command_block_wrapper&, fake_stick::answer& a) { a.silent = true; };
    for (u32 i = 0; i < 2; ++i)
      users.push_back(spawn("user", [&, i] {
        EXPECT_FALSE(blocks[i].move(*media.of(i ? 200 : 400), block_command::read, 8));
      }));
    block_device* const held = media.of(200);
    held->hold();
    sleep_for(500_ms);
    const instant pulled = now();
    r.stick.pull();
    for (const fiber& user : users) user.join();
    EXPECT_LT((now() - pulled).milliseconds(), 1);
    sleep_for(10_ms);
    EXPECT_EQ(media.size(), 0u);
    EXPECT_GE(r.stick.releases, 1u) << "the port must be free although the disk is held";
    held->drop();
  });
}

// U3: the first unit is a CD-ROM drive with the maker's programs.
TEST(usb_units, the_disk_behind_a_cd_rom_is_found) {
  run(1, [] {
    media_list media;
    fake_stick stick(100);
    stick.add_unit(200);
    stick.disk.removable_medium = true;
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.lun == 0 && cbw.cdb[0] == 0x12) a.data[0] = byte{5};
    };
    const fiber task = serve_in_a_task(stick);
    sleep_for(100_ms);
    ASSERT_TRUE(media.of(200));
    EXPECT_EQ(media.size(), 1u);
    const size_t asked = stick.units.size();
    sleep_for(60_s);
    EXPECT_EQ(stick.units.size(), asked) << "neither is asked again";
    dma_block block;
    EXPECT_TRUE(block.move(*media.of(200), block_command::write, 8));
    stick.pull();
    task.join();
  });
}

TEST(usb_units, a_device_without_a_disk_is_let_go) {
  run(1, [] {
    media_list media;
    fake_stick stick;
    stick.add_unit();
    stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      if (cbw.cdb[0] == 0x12) a.data[0] = byte{5};
    };
    serve_in_a_task(stick).join();
    EXPECT_GE(stick.releases, 1u);
    EXPECT_EQ(media.size(), 0u);
  });
}

// --- how many there are ---

struct counting {
  const char* what;
  result<u32> outcome;
  u8 last;
  u32 there;  // units that are told
  u32 used;
};

TEST(usb_units, are_counted_by_get_max_lun) {
  for (const counting& c :
       {counting{"one", 1u, 0, 1, 1}, counting{"four", 1u, 3, 4, 4}, counting{"eight", 1u, 7, 8, 8},
        counting{"nine", 1u, 8, 9, 8}, counting{"sixteen", 1u, 15, 16, 8},
        counting{"too many", 1u, 16, 1, 1}, counting{"no number", 1u, 255, 1, 1},
        counting{"STALL", fail(error::epipe), 3, 1, 1},
        counting{"no answer", fail(error::etimedout), 3, 1, 1}, counting{"no bytes", 0u, 3, 1, 1}})
    run(1, [&] {
      media_list media;
      fake_stick stick;
      for (u32 i = 1; i < 16; ++i) stick.add_unit();
      stick.claimed_last_unit = c.last;
      stick.max_lun_outcome = c.outcome;
      interface_info interface = fake_stick::interface();
      interface.number = 2;
      const fiber task = spawn("device", [&] { usb::storage::serve(stick, interface); });
      sleep_for(1_s);
      EXPECT_EQ(media.size(), c.used) << c.what;
      EXPECT_EQ(said("usb 0-1: " + std::to_string(c.there) + " units\n"), c.there > 1) << c.what;
      EXPECT_EQ(said("only the first 8 are used\n"), c.there > 8) << c.what;
      EXPECT_EQ(stick.setup.request_type, 0xA1);
      EXPECT_EQ(stick.setup.value, 0);
      EXPECT_EQ(stick.setup.index, 2);
      stick.pull();
      task.join();
    });
}

TEST(usb_units, are_counted_though_an_answer_is_lost) {
  for (const u32 lost : {1u, 2u, 3u})
    run(1, [&] {
      media_list media;
      fake_stick stick;
      for (u32 i = 1; i < 4; ++i) stick.add_unit();
      stick.lost_max_luns = lost;
      const fiber task = serve_in_a_task(stick);
      sleep_for(1_s);
      EXPECT_EQ(media.size(), lost < 3 ? 4u : 1u) << lost << " answers lost";
      stick.pull();
      task.join();
    });
}

// The upper layers have room for so many media. A further one arrives when another one has left;
// the first unit of a device always has its place.
TEST(usb_units, have_a_limit_for_all_devices_together) {
  run(1, [] {
    media_list media;
    std::vector<std::unique_ptr<fake_stick>> sticks;
    std::vector<fiber> tasks;
    const u32 devices = MAX_FURTHER_MEDIA / 7 + 2;
    for (u32 i = 0; i < devices; ++i) {
      sticks.push_back(std::make_unique<fake_stick>());
      for (u32 unit = 1; unit < 8; ++unit) sticks.back()->add_unit();
      tasks.push_back(serve_in_a_task(*sticks.back()));
    }
    sleep_for(1_s);
    EXPECT_EQ(media.size(), devices + MAX_FURTHER_MEDIA);
    sticks[0]->pull();
    tasks[0].join();
    sleep_for(3_s);
    EXPECT_EQ(media.size(), devices - 1 + std::min(MAX_FURTHER_MEDIA, 7 * (devices - 1)));
    for (u32 i = 1; i < devices; ++i) {
      sticks[i]->pull();
      tasks[i].join();
    }
    EXPECT_EQ(media.size(), 0u);
  });
}

// The line of a unit that is not used, as lsusb shows it.
bool second_unit_is_listed() { return listed().find(" unit 1\"") != std::string::npos; }

// It goes with the device, though a program still holds the medium of another unit.
TEST(usb_units, are_not_listed_after_the_pull) {
  run(1, [&] {
    two_cards r;
    r.second.disk.block_size = 4096;
    r.second.disk.failures.assign(1, {6, 0x28, 0});
    sleep_for(5_s);
    EXPECT_TRUE(second_unit_is_listed());
    block_device* const held = r.of(100);
    held->hold();
    r.stick.pull();
    sleep_for(1_s);
    EXPECT_FALSE(second_unit_is_listed());
    held->drop();
    r.task->join();
  });
}

// It was given up, and its medium is let go only after the pull: nothing is left in the list.
TEST(usb_units, given_up_are_not_listed_after_the_pull) {
  run(1, [&] {
    two_cards r(false);
    block_device* const held = r.of(200);
    held->hold();
    r.stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& a) {
      a.silent = cbw.lun == 1;
    };
    dma_block block;
    EXPECT_FALSE(block.move(*held, block_command::read, 8));
    sleep_for(60_s);
    EXPECT_TRUE(said("usb 0-1 unit 1: it does not answer any more, and is given up\n"));
    r.stick.pull();
    sleep_for(1_s);
    held->drop();
    r.task->join();
    EXPECT_FALSE(second_unit_is_listed());
  });
}

}  // namespace
}  // namespace usb::storage
