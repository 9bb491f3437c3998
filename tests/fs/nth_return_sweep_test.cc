// The n-th fails, for what no process calls: the return of a stick, and every command that the
// driver sends to a stick from its plug to its umount. (For calls: nth_fault_sweep_test.cc. For the
// boot of a controller: replug/reserve_test.cc.)
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/nth_calls.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

using checkpoint::volume_state;

bool is_whole() {
  const char* points = std::getenv("REPLUG_POINTS");
  return points && std::string(points) == "all";
}
u32 after(u32 nth) { return is_whole() || nth < 4 ? nth + 1 : nth + 7; }

void expect_sound(const medium& stick) {
  const minix_image image(stick.durable());
  EXPECT_EQ(image.problem_text(), "");
  EXPECT_EQ(image.state() & 3, 1);
  EXPECT_EQ(image.files().contains("/new") ? image.files().at("/new").content : "",
            pattern(12'000, 2));
  EXPECT_FALSE(image.has("/file"));
}

// Whether it is back within a minute; what it has refused is taken then.
bool becomes_live() {
  const instant deadline = now() + 60_s;
  while (!is_plugged_in(sda) && now() < deadline) sleep_for(100_ms);
  return is_plugged_in(sda) && sys_sync() && state_of(sda) == volume_state::live;
}

// The n-th command of one kind fails while a stick is compared and written that was pulled with
// unwritten blocks. It comes back all the same. Returns whether there was an n-th.
bool returns_all_the_same(block_command which, u32 nth) {
  SCOPED_TRACE("command " + std::to_string(static_cast<int>(which)) + " number " +
               std::to_string(nth));
  u32 seen = 0;
  medium stick(nth_image());
  run(1, [&] {
    session process(boot_with_root({.buffers = 64, .slots = 128}));
    plug_as(stick, sda);
    EXPECT_OK(process.mount());
    EXPECT_OK(process.write("/mnt/new", pattern(12'000, 2)));
    EXPECT_OK(process.unlink("/mnt/file"));
    pull_from(stick, sda);
    stick.fault = [&](block_command cmd, lba, u32) {
      return cmd == which && ++seen == nth ? std::optional(error::eio) : std::nullopt;
    };
    stick.plug();
    EXPECT_TRUE(becomes_live());
    stick.fault = nullptr;
    EXPECT_OK(process.umount());
    stick.pull();
    sleep_for(1_s);
  });
  expect_sound(stick);
  return seen >= nth;
}

TEST(nth_return_sweep, of_a_stick_that_comes_back) {
  u32 faults = 0;
  for (const auto which : {block_command::read, block_command::write, block_command::flush})
    for (u32 nth = 1; returns_all_the_same(which, nth) && !HasFailure(); ++nth) ++faults;
  std::printf("coverage: n-th fails: %u commands of a return\n", faults);
  EXPECT_GE(faults, 13u) << "fewer than there were";
}

struct way {
  const char* name;
  void (*change)(usb_stick::answer&);
};
const std::array ways{
    way{"fails", [](usb_stick::answer& a) { a.status = 1, a.data.clear(); }},
    way{"stalls its data", [](usb_stick::answer& a) { a.stall_data = true; }},
    way{"stalls its status", [](usb_stick::answer& a) { a.stall_status = true; }},
    way{"hangs", [](usb_stick::answer& a) { a.hang = true; }},
    way{"has a wrong tag", [](usb_stick::answer& a) { a.wrong_tag = true; }},
};

// From the plug to the umount.
result<void> use_stick(session& process) {
  TRY(process.mount());
  TRY(process.write("/mnt/new", pattern(12'000, 2)));
  const result<void> gone = process.unlink("/mnt/file");
  if (!gone && gone.error() != error::enoent) return gone;
  TRY(sys_sync());
  return process.umount();
}

bool works_after_a_command_that(const way& how, u32 nth) {
  SCOPED_TRACE("command " + std::to_string(nth) + " " + how.name);
  u32 seen = 0;
  medium stick(nth_image());
  usb_machine machine;
  world world({.seed = 1, .time_limit = 3000_s});
  world.run([&] {
    session process(boot_with_root({.buffers = 64, .slots = 128}));
    machine.power_on();
    usb_stick& device = machine.stick_of(stick);
    device.meddle = [&](u8, usb_stick::answer& a) {
      if (++seen == nth) how.change(a);
    };
    stick.plug(machine.port(1));
    if (!becomes_live() || !use_stick(process)) {
      device.meddle = nullptr;
      device.stop_hanging();
      if (!becomes_live()) {
        stick.pull();
        sleep_for(5_s);
        stick.plug(machine.port(1));
        EXPECT_TRUE(becomes_live());
      }
      static_cast<void>(sys_sync());
      if (!process.umount()) static_cast<void>(process.umount());
      EXPECT_OK(use_stick(process));
    }
    device.meddle = nullptr;
    stick.pull();
    sleep_for(5_s);
  });
  expect_sound(stick);
  for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
  return seen >= nth;
}

TEST(nth_return_sweep, of_a_command_to_a_usb_stick) {
  u32 faults = 0;
  for (const way& how : ways)
    for (u32 nth = 1; works_after_a_command_that(how, nth) && !HasFailure(); nth = after(nth))
      ++faults;
  std::printf("coverage: n-th fails: %u commands to a USB stick\n", faults);
  EXPECT_GE(faults, is_whole() ? 100u : 30u) << "fewer than there were";
}

}  // namespace
}  // namespace sim
