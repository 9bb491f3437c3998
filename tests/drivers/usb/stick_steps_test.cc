// A stick that does not bear to be asked for the status while it still takes data: after the first
// time it gets one transfer at a time, as from other hosts (bot.h). Over the simulated controller.
#include <gtest/gtest.h>

#include "drivers/block/genhd.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/drivers/usb/stick_bench.h"
#include "tests/fs/machine.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

using checkpoint::volume_state;
using early = usb_stick::early_status;

void works(medium& stick, u8 value) {
  for (u32 block = 8; block < 24; ++block) EXPECT_TRUE(fill_block(sda, block, value));
  static_cast<void>(sys_sync());
  EXPECT_TRUE(sys_sync());
  for (u32 block = 8; block < 24; ++block) EXPECT_TRUE(block_is(stick.durable(), block, value));
}

// The number of resets until it works, and after that.
struct outcome {
  u32 first, later;
};
outcome resets_of(early how) {
  medium stick(2048);
  usb_machine machine;
  world world({.seed = 1, .time_limit = 3000_s});
  outcome counted{};
  world.run([&] {
    boot();
    machine.power_on();
    stick.plug(machine.port(1));
    await_state(sda, volume_state::live);
    usb_stick& device = machine.stick_of(stick);
    device.at_early_status = how;
    const u32 before = device.bus_resets();
    works(stick, 1);
    counted.first = device.bus_resets() - before;
    for (u8 value = 2; value < 10; ++value) works(stick, value);
    counted.later = device.bus_resets() - before - counted.first;
    EXPECT_EQ(said("one transfer at a time"), how != early::waits);
    stick.pull();
    sleep_for(3_s);
  });
  EXPECT_TRUE(machine.controller().violations().empty());
  return counted;
}

TEST(usb_stick_steps, a_stick_that_waits_is_never_reset) {
  const auto [first, later] = resets_of(early::waits);
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(later, 0u);
}

TEST(usb_stick_steps, any_other_stumbles_once) {
  for (const early how : {early::stalls, early::hangs, early::breaks_off}) {
    const auto [first, later] = resets_of(how);
    EXPECT_LE(first, 1u) << static_cast<int>(how);
    EXPECT_EQ(later, 0u) << static_cast<int>(how);
  }
}

// A device that tells a good status and no residue, though it has not taken the data.
TEST(usb_stick_steps, a_status_that_comes_before_the_data_loses_nothing) {
  for (const bool removable : {false, true})
    for (u32 which = 1; which < 4; ++which) {
      bench b(super_speed);
      b.function().disk().removable_medium = removable;
      b.run(1, [&] {
        b.plug();
        b.until_live(1_s);
        b.function().meddle = [&, n = 0u](u8 opcode, usb_stick::answer& a) mutable {
          if (opcode == 0x2A && ++n == which) a.leave_data = true;
        };
        for (u32 i = 0; i < 6; ++i) static_cast<void>(fill_block(sda, 5 + 7 * i, 0x51));
        for (int i = 0; i < 5 && !sys_sync(); ++i) sleep_for(3_s);
        sleep_for(10_s);  // a plug that has ended is followed by the next one
        EXPECT_TRUE(b.is_live());
        EXPECT_TRUE(sys_sync());
        for (u32 i = 0; i < 6; ++i)
          EXPECT_TRUE(block_is(b.stick.durable(), 5 + 7 * i, 0x51)) << i << removable << which;
      });
    }
}

}  // namespace
}  // namespace sim
