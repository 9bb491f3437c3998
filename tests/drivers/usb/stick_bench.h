// A stick that answers at once, in a machine with one simulated controller, which must have no
// complaints: for tests of ports, faults and bad devices. The stick is /dev/sda.
//
//   bench b(high_speed);
//   b.run(1, [&] {
//     b.plug();
//     b.until_live(1_s);
//     b.works(0x5A);
//   });
#pragma once

#include <gtest/gtest.h>

#include "drivers/usb/xhci/device.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "tests/drivers/usb/listed.h"
#include "tests/fs/machine.h"
#include "tests/sim/xhci/machine.h"

namespace sim {

struct place {
  const char* name;
  u32 port;
  bool full_speed;
};
constexpr place super_speed{"super", 1, false}, high_speed{"high", 3, false},
    full_speed{"full", 4, true};

class bench {
 public:
  explicit bench(const place& where, const hc::controller_settings& settings = {})
      : machine(settings), where_(where), line_(settings.interrupt_line) {
    stick.least_latency = 10_us;
    stick.most_latency = 20_us;
    function().full_speed = where.full_speed;
  }
  explicit bench(u32 port, const hc::controller_settings& settings = {})
      : bench(place{"any", port, false}, settings) {}

  // Boots, runs the body, and pulls the stick at the end.
  void run(u64 seed, const std::function<void()>& body) {
    {
      // Without interrupts the driver finds its events when it looks: no wake-up is lost then.
      world world({.seed = seed, .time_limit = 5000_s, .plain_sleeps = !line_});
      world.run([&] {
        boot();
        machine.power_on();
        sleep_for(1_s);
        body();
        if (stick.plugged()) stick.pull();
        sleep_for(3_s);
        EXPECT_EQ(hardware().slots_in_use(), 0u);
      });
    }
    for (const std::string& each : hardware().violations())
      ADD_FAILURE() << each << ", " << where_.name << " speed";
  }
  void plug() { stick.plug(machine.port(where_.port)); }
  hc::controller& hardware() { return machine.controller(); }
  xhci::device* device() { return machine.driver().port(where_.port).occupant; }
  usb_stick& function() { return machine.stick_of(stick); }
  // Also when it has refused a block: what is held is written by the next sync.
  bool is_live() const { return is_plugged_in(sda); }
  // The time until the stick is live; fails the test after `most`.
  duration until_live(duration most) {
    const instant begun = now();
    while (!is_live() && now() - begun < most) sleep_for(1_ms);
    EXPECT_TRUE(is_live());
    return now() - begun;
  }
  void until_gone() {
    for (int i = 0; i < 100 && is_live(); ++i) sleep_for(1_ms);
    EXPECT_FALSE(is_live());
  }
  // It does everything that a stick must do.
  void works(u8 value) {
    EXPECT_TRUE(fill_block(sda, 5, value));
    EXPECT_TRUE(sys_sync());
    EXPECT_TRUE(block_is(stick.durable(), 5, value));
  }
  void hang_at_the_next_write() {
    constexpr u8 write_10 = 0x2A;
    usb_stick& device = function();
    device.meddle = [&device](u8 opcode, usb_stick::answer& answer) {
      if (opcode != write_10) return;
      answer.hang = true;
      device.meddle = nullptr;
    };
  }

  medium stick{2048};
  usb_machine machine;

 private:
  place where_;
  bool line_;
};

// How often the kernel has said it.
inline u32 times_said(const std::string& text) {
  u32 count = 0;
  const std::string& console = here().console();
  for (size_t at = console.find(text); at != std::string::npos; at = console.find(text, at + 1))
    ++count;
  return count;
}

}  // namespace sim
