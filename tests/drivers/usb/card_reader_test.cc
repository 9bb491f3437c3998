// A card reader that stays plugged in while its card goes and comes: the whole way from the sense
// data up to the files, with dirty blocks above the card (row 8 of docs/checkpoint.md).
#include <gtest/gtest.h>

#include "drivers/block/genhd.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

using checkpoint::volume_state;

constexpr u8 test_unit_ready = 0x00, request_sense = 0x03, read_10 = 0x28, write_10 = 0x2A,
             synchronize = 0x35;

// A reader on port 1 with a card that is mounted, and a file on it that the card has not seen.
struct scene {
  session& process;
  medium& card;
  scsi_target& slot;
  std::string text;

  void take_out() const {
    for (const u8 opcode : {test_unit_ready, read_10, write_10, synchronize})
      slot.never_succeeds[opcode] = {2, 0x3A, 0};
    card.drop_cache();
  }
  void put_in() const {
    slot.never_succeeds.clear();
    slot.failures.assign(1, {6, 0x28, 0});
  }
  bool is_there() const { return state_of(sda) == volume_state::live; }
};

void with_card(const std::function<void(scene&)>& trouble) {
  for_each_seed(3, [&](u64 seed) {
    medium card(mkfs_minix(400));
    usb_machine machine;
    world world({.seed = seed, .time_limit = 3000_s});
    world.run([&] {
      session process(boot_with_root());
      machine.power_on();
      scsi_target& slot = machine.stick_of(card).disk();
      slot.removable_medium = true;
      card.plug(machine.port(1));
      await_state(sda, volume_state::live);
      ASSERT_TRUE(process.mount());
      ASSERT_TRUE(process.write("/mnt/before", "synced"));
      ASSERT_TRUE(sys_sync());
      scene at{process, card, slot, pattern(40'000, 3)};
      ASSERT_TRUE(process.write("/mnt/file", at.text));
      trouble(at);
      await_state(sda, volume_state::live);
      EXPECT_TRUE(sys_sync());
      EXPECT_EQ(process.read("/mnt/file").value_or(""), at.text);
      EXPECT_TRUE(process.umount());
      card.pull({.loss = cache_loss::all});
      sleep_for(3_s);
      EXPECT_EQ(machine.controller().slots_in_use(), 0u);
    });
    EXPECT_TRUE(machine.controller().violations().empty());
    EXPECT_EQ(fsck_minix(card.durable()), "");
    EXPECT_TRUE(minix_image(card.durable()).has("/file"));
  });
}

TEST(card_reader, a_card_taken_out_with_dirty_blocks_loses_nothing) {
  with_card([](scene& at) {
    at.take_out();
    sleep_for(3_s);
    EXPECT_FALSE(at.is_there());
    EXPECT_TRUE(said("waiting for it"));
    at.put_in();
  });
}

// The card needs time for its first write, for longer than a request may wait: what was to be
// written is held, and written then.
TEST(card_reader, a_card_that_needs_long_loses_nothing) {
  with_card([](scene& at) {
    at.slot.never_succeeds[write_10] = {2, 0x04, 1};
    const fiber sync = spawn("sync", [] { static_cast<void>(sys_sync()); });
    sleep_for(40_s);
    EXPECT_FALSE(at.is_there()) << "it is a plug that has ended, and no error";
    EXPECT_TRUE(said("not ready for half a minute"));
    at.slot.never_succeeds.clear();
    sync.join();
  });
}

// The reader notices an exchange that was quicker than its look, and tells it with the next
// command.
TEST(card_reader, a_card_put_in_again_at_once_is_verified) {
  with_card([](scene& at) {
    const u32 reads = at.card.count(block_command::read);
    at.card.drop_cache();
    at.put_in();
    static_cast<void>(sys_sync());
    sleep_for(3_s);
    EXPECT_GT(at.card.count(block_command::read), reads)
        << "its content proves that it is the same";
  });
}

// Another card of the same size in the same slot: nothing is written to it, and the first one gets
// its blocks when it is back.
TEST(card_reader, another_card_in_the_slot_is_not_written) {
  with_card([](scene& at) {
    at.take_out();
    sleep_for(3_s);
    const std::vector<byte> mine(at.card.durable().begin(), at.card.durable().end());
    const std::vector<byte> other = mkfs_minix(400, 128);
    std::ranges::copy(other, at.card.bytes().begin());
    at.put_in();
    sleep_for(10_s);
    EXPECT_FALSE(at.is_there());
    EXPECT_TRUE(std::ranges::equal(at.card.durable(), other));
    at.take_out();
    sleep_for(3_s);
    std::ranges::copy(mine, at.card.bytes().begin());
    at.put_in();
  });
}

// The same without a pause, and the reader cannot tell why the write has failed.
TEST(card_reader, another_card_is_not_written_though_the_news_of_it_is_lost) {
  with_card([](scene& at) {
    at.card.drop_cache();
    const std::vector<byte> mine(at.card.durable().begin(), at.card.durable().end());
    const std::vector<byte> other = mkfs_minix(400, 128);
    std::ranges::copy(other, at.card.bytes().begin());
    at.put_in();
    at.slot.never_succeeds[request_sense] = {5, 0x20, 0};
    static_cast<void>(sys_sync());
    sleep_for(10_s);
    EXPECT_FALSE(at.is_there());
    EXPECT_EQ(at.card.cached_sectors(), 0u);
    EXPECT_TRUE(std::ranges::equal(at.card.durable(), other));
    at.take_out();
    at.slot.never_succeeds.erase(request_sense);
    sleep_for(3_s);
    std::ranges::copy(mine, at.card.bytes().begin());
    at.put_in();
  });
}

}  // namespace
}  // namespace sim
