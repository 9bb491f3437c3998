// A file of registers that the test fills, and the driver over it: what the driver reads, writes,
// waits for and gives up on.
//
//   on_running([](register_file& r) { r.values[usbsts] = halted | not_ready; },
//              [](register_file& r, controller& driver) { EXPECT_TRUE(driver.dead()); });
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "drivers/usb/xhci/controller.h"
#include "hal/clock.h"
#include "hal/wait.h"
#include "tests/fs/machine.h"
#include "tests/sim/memory.h"
#include "tests/sim/mmio.h"
#include "tests/sim/scheduler.h"

namespace xhci::over_registers {

using sim::said;

constexpr phys_addr window_at{0xFEB0'0000};
constexpr u32 op = 0x40, run_time = 0x200, doorbells = 0x300, extended = 0x800;
constexpr u32 usbcmd = op, usbsts = op + 4, pagesize = op + 8, portsc_1 = op + 0x400;
constexpr u32 iman = run_time + 0x20, erdp = run_time + 0x38;
constexpr u32 ports = 4, slots = 8;
constexpr u32 halted = 1, host_system_error = 4, event_interrupt = 8, not_ready = 1u << 11,
              host_error = 1u << 12, run_stop = 1, hcrst = 2;
constexpr u32 power = 1u << 9;

// A controller of four ports that is halted and ready, and that runs when it is told to.
class register_file final : public sim::mmio_model {
 public:
  explicit register_file(u32 size = 0x1000) : size_(size), region_(window_at, size, *this) {
    values = {{0x00, op | 0x0110u << 16},
              {0x04, slots | 1u << 8 | ports << 24},
              {0x10, 1u | 8u | (extended / 4) << 16},
              {0x14, doorbells},
              {0x18, run_time},
              {usbsts, halted},
              {pagesize, 1},
              {extended, protocol_head(3, 4)},
              {extended + 8, 1 | 2u << 8},
              {extended + 16, protocol_head(2, 0)},
              {extended + 24, 3 | 2u << 8}};
    for (u32 n = 0; n < ports; ++n) values[portsc_1 + 16 * n] = power;
  }
  static constexpr u32 protocol_head(u32 revision, u32 next) {
    return 2 | next << 8 | revision << 24;
  }

  std::map<u32, u32> values;
  bool gone = false;
  bool stays_pending = false;  // IP of IMAN cannot be cleared
  // How long each state of 4.2 takes after it was asked for.
  duration starts_after{}, halts_after{}, resets_after{}, ready_after{};
  struct written {
    u32 offset, value;
    instant when;
    bool operator==(const written& other) const {
      return offset == other.offset && value == other.value;
    }
  };
  std::vector<written> writes;
  std::function<void(u32 offset, u32 value)> on_write;
  u32 port_reads_in_reset = 0;

  std::vector<u32> written_to(u32 offset) const {
    std::vector<u32> found;
    for (const written& each : writes)
      if (each.offset == offset) found.push_back(each.value);
    return found;
  }
  size_t place_of(u32 offset) const {
    const auto found = std::ranges::find(writes, offset, &written::offset);
    return static_cast<size_t>(found - writes.begin());
  }

  u32 read32(u32 offset) override {
    if (gone) return all_ones;
    advance();
    port_reads_in_reset += offset >= portsc_1 && offset < extended && (values[usbcmd] & hcrst);
    const auto found = values.find(offset);
    return found == values.end() ? 0 : found->second;
  }
  void write32(u32 offset, u32 value) override {
    advance();
    writes.push_back({offset, value, now()});
    if (on_write) on_write(offset, value);
    if (offset == usbsts) values[usbsts] &= ~(value & 0x1C);
    if (offset == iman && !stays_pending) values[iman] = (value & 2) | (values[iman] & 1 & ~value);
    if (offset != usbcmd) return;
    values[usbcmd] = value;
    if (value & hcrst) {
      plan(resets_after, [this] {
        values[usbcmd] = 0;
        if (ready_after.ns > 0) values[usbsts] |= not_ready;
        plan(ready_after, [this] { values[usbsts] &= ~not_ready; });
      });
    } else {
      const bool runs = value & run_stop;
      plan(runs ? starts_after : halts_after,
           [this, runs] { values[usbsts] = (values[usbsts] & ~halted) | (runs ? 0 : halted); });
    }
  }
  void plan(duration delay, std::function<void()> action) {
    if (delay.ns == 0) return action();
    planned_.emplace((now() + delay).ns, std::move(action));
  }
  mmio_window window() const { return *map_mmio(window_at, size_); }

 private:
  void advance() {
    while (!planned_.empty() && planned_.begin()->first <= now().ns) {
      const auto action = planned_.begin()->second;
      planned_.erase(planned_.begin());
      action();
    }
  }
  u32 size_;
  sim::mmio_region region_;
  std::multimap<i64, std::function<void()>> planned_;
};

inline u32 cut_offs = 0, restored = 0;
inline void count_cut_off(const void*) { ++cut_offs; }
inline void count_restored(const void*) { ++restored; }

// The driver over these registers. Its memory and tasks stay for ever.
inline void on_registers(const std::function<void(register_file&, controller&)>& body,
                         u32 size = 0x1000) {
  sim::world world({.seed = 1});
  cut_offs = restored = 0;
  register_file registers(size);
  std::unique_ptr<controller> driver;
  world.run([&] {
    const sim::kept_memory for_ever;
    sim::leave_open("a controller of registers alone never lets its devices go");
    driver = std::make_unique<controller>(registers.window(), u8{0},
                                          bus_access{count_cut_off, count_restored, nullptr});
    body(registers, *driver);
  });
}
// The same, and the driver's task runs for some time.
inline void on_running(const std::function<void(register_file&)>& prepare,
                       const std::function<void(register_file&, controller&)>& judge,
                       duration time = 1_s) {
  on_registers([&](register_file& registers, controller& driver) {
    if (prepare) prepare(registers);
    sim::daemon("xhci", [&] { driver.run(); });
    sleep_for(time);
    judge(registers, driver);
  });
}

inline u32 times_said(const std::string& text) {
  u32 count = 0;
  const std::string& console = sim::here().console();
  for (size_t at = console.find(text); at != std::string::npos; at = console.find(text, at + 1))
    ++count;
  return count;
}

}  // namespace xhci::over_registers
