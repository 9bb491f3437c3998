// Two logical units of one stick, through the controller: each is a disk with a file system of its
// own, and both go and come with the one plug.
#include <gtest/gtest.h>

#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

using checkpoint::volume_state;

void await_both(volume_state state) {
  for (const dev_id disk : {sda, sdb}) await_state(disk, state);
}

// A reader with two cards of different sizes, and both are mounted.
struct two_units {
  explicit two_units(bool takes_media) {
    usb_stick& reader = machine.stick_of(first);
    reader.disk().removable_medium = takes_media;
    reader.add_unit(second).removable_medium = takes_media;
  }

  medium first{mkfs_minix(400)}, second{mkfs_minix(300)};
  usb_machine machine;
};

void with_two_units(u64 seed, const std::function<void(two_units&, session&)>& body) {
  two_units reader(seed % 2 == 0);
  world world({.seed = seed, .time_limit = 3000_s});
  world.run([&] {
    session process(boot_with_root());
    reader.machine.power_on();
    reader.first.plug(reader.machine.port(1));
    await_both(volume_state::live);
    ASSERT_TRUE(process.mount());
    ASSERT_TRUE(process.mount("/dev/sdb", "/mnt2"));
    body(reader, process);
    EXPECT_TRUE(process.umount());
    EXPECT_TRUE(process.umount("/mnt2"));
    reader.first.pull({.loss = cache_loss::all});
    sleep_for(3_s);
    EXPECT_EQ(reader.machine.controller().slots_in_use(), 0u);
  });
  for (const std::string& each : reader.machine.controller().violations()) ADD_FAILURE() << each;
  for (const medium* card : {&reader.first, &reader.second})
    EXPECT_EQ(fsck_minix(card->durable()), "");
}

// What each card is to hold in the end: neither gets a block of the other.
void expect_files(session& process, const std::string& one, const std::string& two) {
  EXPECT_EQ(process.read("/mnt/file").value_or(""), one);
  EXPECT_EQ(process.read("/mnt2/file").value_or(""), two);
  EXPECT_FALSE(process.read("/mnt/two") || process.read("/mnt2/one"));
}

TEST(reader_units, lose_nothing_when_the_reader_is_pulled) {
  for_each_seed(4, [](u64 seed) {
    with_two_units(seed, [](two_units& reader, session& process) {
      const std::string one = pattern(60'000, 3), two = pattern(50'000, 7);
      ASSERT_TRUE(process.write("/mnt/file", one) && process.write("/mnt2/file", two));
      ASSERT_TRUE(sys_sync());
      ASSERT_TRUE(process.append("/mnt/file", "more") && process.append("/mnt2/file", "less"));
      ASSERT_TRUE(process.write("/mnt/one", "held") && process.write("/mnt2/two", "held"));
      reader.first.pull({.loss = cache_loss::some});
      EXPECT_FALSE(reader.second.plugged()) << "the whole reader is pulled";
      await_both(volume_state::absent);
      reader.first.plug(reader.machine.port(2));
      await_both(volume_state::live);
      expect_files(process, one + "more", two + "less");
      ASSERT_TRUE(sys_sync());
      EXPECT_TRUE(minix_image(reader.first.durable()).has("/one"));
      EXPECT_TRUE(minix_image(reader.second.durable()).has("/two"));
    });
  });
}

// The same in the middle of what a sync does to both, at a step of the second card.
TEST(reader_units, lose_nothing_when_the_reader_is_pulled_in_the_middle_of_a_sync) {
  for (const u64 steps : {1u, 20u, 60u, 120u})
    with_two_units(steps, [=](two_units& reader, session& process) {
      const std::string one = pattern(60'000, 3), two = pattern(50'000, 7);
      ASSERT_TRUE(process.write("/mnt/file", one) && process.write("/mnt2/file", two));
      reader.second.pull_at(reader.second.steps() + steps, {.loss = cache_loss::some});
      const fiber sync = spawn("sync", [] { static_cast<void>(sys_sync()); });
      await_both(volume_state::absent);
      EXPECT_FALSE(reader.first.plugged()) << "the whole reader is pulled";
      reader.first.plug(reader.machine.port(1));
      await_both(volume_state::live);
      sync.join();
      expect_files(process, one, two);
      EXPECT_TRUE(sys_sync());
    });
}

}  // namespace
}  // namespace sim
