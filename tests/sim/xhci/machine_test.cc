// The product's USB stack on the simulated controller: from the plug to bytes and back.
#include "tests/sim/xhci/machine.h"

#include <gtest/gtest.h>

#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"

namespace sim {
namespace {

using checkpoint::volume_state;

struct configuration {
  const char* name;
  hc::controller_settings settings;
  u32 port;
};
void PrintTo(const configuration& c, std::ostream* out) { *out << c.name; }

class usb_stack : public ::testing::TestWithParam<configuration> {};

std::string violations(usb_machine& machine) {
  std::string text;
  for (const std::string& each : machine.controller().violations()) text += each + "\n";
  return text;
}

// Writes, pulls, reads: over real registers, rings and packets, for many schedules.
TEST_P(usb_stack, carries_files_through_a_pull) {
  for_each_seed(5, [](u64 seed) {
    medium stick(mkfs_minix(400));
    usb_machine machine(GetParam().settings);
    world world({.seed = seed, .time_limit = 3000_s});
    world.run([&] {
      session process(boot_with_root());
      machine.power_on();
      stick.plug(machine.port(GetParam().port));
      await_state(sda, volume_state::live);
      ASSERT_TRUE(process.mount());
      const std::string text = sample_text(150'000, 3);
      ASSERT_TRUE(process.write("/mnt/file", text));
      ASSERT_TRUE(sys_sync());
      ASSERT_TRUE(process.append("/mnt/file", "and more"));
      ASSERT_TRUE(process.write("/mnt/other", "held"));
      stick.pull({.loss = cache_loss::some});
      await_state(sda, volume_state::absent);
      stick.plug(machine.port(GetParam().port == 1 ? 2 : 1));
      await_state(sda, volume_state::live);
      EXPECT_EQ(process.read("/mnt/file").value_or(""), text + "and more");
      ASSERT_TRUE(process.umount());
      stick.pull({.loss = cache_loss::all});
      sleep_for(3_s);
      EXPECT_EQ(machine.controller().slots_in_use(), 0u);
    });
    EXPECT_EQ(violations(machine), "");
    EXPECT_EQ(fsck_minix(stick.durable()), "");
    EXPECT_TRUE(minix_image(stick.durable()).has("/other"));
  });
}

INSTANTIATE_TEST_SUITE_P(
    on, usb_stack,
    ::testing::Values(
        configuration{"super_speed", {}, 1}, configuration{"high_speed", {}, 3},
        configuration{"contexts_of_64_bytes", {.large_contexts = true, .scratchpads = 40}, 1},
        configuration{"qemu", {.like_qemu = true, .scratchpads = 0}, 2},
        configuration{"silence_at_a_pull", {.at_pull = hc::in_flight_end::silence}, 1},
        configuration{"firmware_in_the_way", {.firmware_owns_it = true}, 4},
        configuration{"no_interrupt_line", {.interrupt_line = false}, 1}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace sim
