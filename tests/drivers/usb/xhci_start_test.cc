// Bringing a controller up and watching it (start.cc, controller.cc), over a file of registers that
// the test fills: what the driver reads, writes, waits for and gives up on.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <vector>

#include "drivers/usb/xhci/controller.h"
#include "hal/clock.h"
#include "hal/wait.h"
#include "tests/fs/machine.h"
#include "tests/sim/memory.h"
#include "tests/sim/mmio.h"
#include "tests/sim/scheduler.h"

namespace xhci {
namespace {

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
    const auto found = values.find(offset);
    return found == values.end() ? 0 : found->second;
  }
  void write32(u32 offset, u32 value) override {
    advance();
    writes.push_back({offset, value, now()});
    if (on_write) on_write(offset, value);
    if (offset == usbsts) values[usbsts] &= ~(value & 0x1C);
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

u32 cut_offs = 0, restored = 0;
void count_cut_off(const void*) { ++cut_offs; }
void count_restored(const void*) { ++restored; }

// The driver over these registers. Its memory and tasks stay for ever.
void on_registers(const std::function<void(register_file&, controller&)>& body, u32 size = 0x1000) {
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
void on_running(const std::function<void(register_file&)>& prepare,
                const std::function<void(register_file&, controller&)>& judge,
                duration time = 1_s) {
  on_registers([&](register_file& registers, controller& driver) {
    if (prepare) prepare(registers);
    sim::daemon("xhci", [&] { driver.run(); });
    sleep_for(time);
    judge(registers, driver);
  });
}

u32 times_said(const std::string& text) {
  u32 count = 0;
  const std::string& console = sim::here().console();
  for (size_t at = console.find(text); at != std::string::npos; at = console.find(text, at + 1))
    ++count;
  return count;
}

// --- what it says of itself ---

struct claim {
  const char* what;
  u32 offset, value;
  std::optional<error> refused;
};

TEST(xhci_start, believes_no_register_unchecked) {
  for (const claim& c : std::initializer_list<claim>{
           {"as it is", 0x00, op | 0x0110u << 16, {}},
           {"no slot", 0x04, 0u | 1u << 8 | ports << 24, error::eio},
           {"one slot", 0x04, 1u | 1u << 8 | ports << 24, {}},
           {"no port", 0x04, slots | 1u << 8, error::eio},
           {"one port", 0x04, slots | 1u << 8 | 1u << 24, {}},
           {"off the bus", 0x00, all_ones, error::enodev},
           {"no pages of 4 KiB", pagesize, 2, error::enotsup},
           {"also larger pages", pagesize, 3, {}},
           {"runtime registers that end with the window", 0x18, 0xFC0, {}},
           {"and behind it", 0x18, 0xFE0, error::eio},
           {"bits of the runtime offset that are reserved", 0x18, run_time | 31, {}},
           {"doorbells that end with the window", 0x14, 0x1000 - 4 * (slots + 1), {}},
           {"and behind it", 0x14, 0x1000 - 4 * slots, error::eio},
           {"bits of the doorbell offset that are reserved", 0x14, doorbells | 3, {}}})
    on_registers([&](register_file& registers, controller& driver) {
      registers.values[c.offset] = c.value;
      const result<void> outcome = driver.reserve();
      EXPECT_EQ(outcome.has_value(), !c.refused) << c.what;
      if (c.refused && !outcome) {
        EXPECT_EQ(outcome.error(), *c.refused) << c.what;
      }
    });
}

TEST(xhci_start, needs_a_window_that_holds_all_ports) {
  constexpr u32 enough = op + 0x400 + 16 * ports;
  for (const u32 size : {enough - 4, enough})
    on_registers(
        [&](register_file& registers, controller& driver) {
          registers.values[0x14] = 0x100;
          EXPECT_EQ(driver.reserve().has_value(), size == enough);
        },
        size);
}

// SQLite's loop: the n-th allocation fails; then it works, and takes what was missing and no more.
TEST(xhci_start, reserves_the_rest_when_memory_is_there_again) {
  u32 needed = 0;
  for (u64 n = 0;; ++n) {
    bool refused = false;
    on_registers([&](register_file& registers, controller& driver) {
      registers.values[0x08] = 3u << 27;  // scratchpads
      const u32 before = sim::memory().pages_free();
      if (n > 0) sim::memory().refuse_one(n);
      const result<void> first = driver.reserve();
      refused = sim::memory().refused() > 0;
      sim::memory().refuse_none();
      EXPECT_EQ(first.has_value(), !refused) << n;
      if (refused && !first) {
        EXPECT_EQ(first.error(), error::enomem);
      }
      EXPECT_TRUE(driver.reserve());
      const u32 taken = before - sim::memory().pages_free();
      if (n == 0) needed = taken;
      EXPECT_EQ(taken, needed) << n;
      EXPECT_TRUE(driver.reserve());
      EXPECT_EQ(before - sim::memory().pages_free(), needed) << "it has all";
    });
    if (n > 0 && !refused) break;
    ASSERT_LT(n, 200u);
  }
}

TEST(xhci_start, gives_the_memory_of_a_port_back_that_gets_no_task) {
  on_registers([](register_file&, controller& driver) {
    sim::fill_task_table();
    EXPECT_EQ(driver.reserve().error(), error::eagain);
    const u32 before = sim::memory().pages_free();
    EXPECT_EQ(driver.reserve().error(), error::eagain);
    EXPECT_EQ(sim::memory().pages_free(), before);
  });
}

// --- 4.2, step by step ---

TEST(xhci_start, programs_the_controller_in_order) {
  on_running({}, [](register_file& registers, controller&) {
    EXPECT_TRUE(said("xhci0: version 1.10, 2 ports of USB 3 and 2 of USB 2\n"));
    const auto only = [&](u32 offset) {
      const auto all = registers.written_to(offset);
      return all.size() == 1 ? all[0] : ~0u;
    };
    EXPECT_EQ(registers.written_to(usbcmd), (std::vector<u32>{0, hcrst, 0xD}));
    EXPECT_EQ(only(op + 0x38), slots);
    EXPECT_EQ(only(op + 0x30) % 64, 0u);
    EXPECT_EQ(only(op + 0x18) % 64, 1u) << "the ring's cycle state";
    EXPECT_EQ(only(run_time + 0x28), 1u);
    EXPECT_EQ(only(run_time + 0x24), 160u) << "at least 40 us between two interrupts";
    EXPECT_EQ(registers.written_to(iman), std::vector<u32>{3});
    // 4.9.4: the write of ERSTBA starts the event ring, so the others come before it.
    EXPECT_LT(registers.place_of(run_time + 0x28), registers.place_of(run_time + 0x30));
    EXPECT_LT(registers.place_of(erdp), registers.place_of(run_time + 0x30));
    EXPECT_LT(registers.place_of(run_time + 0x30), registers.writes.size());
  });
}

// Each step may take as long as the specification allows, and no longer.
struct delay_case {
  const char* what;
  duration register_file::*step;
  duration enough, too_long;
};

TEST(xhci_start, waits_for_each_step_and_not_for_ever) {
  for (const delay_case& c : std::initializer_list<delay_case>{
           {"halt", &register_file::halts_after, 30_ms, {}},
           {"reset", &register_file::resets_after, 9900_ms, 10'100_ms},
           {"ready", &register_file::ready_after, 9900_ms, 10'100_ms},
           {"run", &register_file::starts_after, 95_ms, 105_ms}})
    for (const duration time : {c.enough, c.too_long}) {
      if (time.ns == 0) continue;
      on_running(
          [&](register_file& registers) {
            registers.values[usbsts] = 0;  // the firmware has left it running
            registers.values[usbcmd] = run_stop;
            registers.*c.step = time;
          },
          [&](register_file&, controller&) {
            EXPECT_EQ(said("version 1.10"), time.ns == c.enough.ns) << c.what;
            EXPECT_EQ(said("does not start (error 110)"), time.ns != c.enough.ns) << c.what;
          },
          15_s);
    }
}

TEST(xhci_start, waits_until_a_controller_is_ready_before_it_touches_it) {
  for (const bool in_time : {true, false})
    on_running(
        [&](register_file& registers) {
          registers.values[usbsts] = halted | not_ready;
          registers.plan(in_time ? 4900_ms : 5100_ms,
                         [&] { registers.values[usbsts] &= ~not_ready; });
        },
        [&](register_file& registers, controller&) {
          const auto first =
              std::ranges::find(registers.writes, usbcmd, &register_file::written::offset);
          if (in_time) {
            ASSERT_NE(first, registers.writes.end());
            EXPECT_GE(first->when.ns, (4900_ms).ns);
          } else {
            EXPECT_EQ(first, registers.writes.end());
          }
        },
        5050_ms);
}

// 5.4.1.1: it halts within 16 ms. One that does not is reset all the same.
TEST(xhci_start, resets_a_controller_that_does_not_halt) {
  on_running(
      [](register_file& registers) {
        registers.values[usbsts] = 0;
        registers.halts_after = 100_s;
      },
      [](register_file& registers, controller&) {
        const auto& all = registers.writes;
        std::vector<instant> times;
        for (const auto& each : all)
          if (each.offset == usbcmd) times.push_back(each.when);
        ASSERT_GE(times.size(), 3u);
        EXPECT_GE((times[1] - times[0]).ns, (16_ms).ns);
        EXPECT_LE((times[1] - times[0]).ns, (35_ms).ns);
        EXPECT_GE((times[2] - times[1]).ns, (1_ms).ns) << "some must not be touched for so long";
      });
}

// 5.4.8: after power is switched on, a port is left alone for 20 ms.
TEST(xhci_start, gives_every_port_power) {
  for (const bool controls_power : {true, false})
    on_running(
        [&](register_file& registers) {
          registers.values[0x10] = 1u | (controls_power ? 8u : 0u) | (extended / 4) << 16;
          for (u32 n : {1u, 3u}) registers.values[portsc_1 + 16 * n] = 0;
          registers.values[extended + 24] = 4 | 1u << 8;  // port 3 has no protocol
          registers.values[portsc_1 + 16 * 2] = 0;
        },
        [&](register_file& registers, controller&) {
          EXPECT_TRUE(said("2 ports of USB 3 and 1 of USB 2\n"));
          for (u32 n : {1u, 3u}) {
            const auto written = registers.written_to(portsc_1 + 16 * n);
            EXPECT_FALSE(written.empty()) << n;
            for (const u32 each : written) EXPECT_EQ(each, power) << n;
          }
          for (u32 n : {0u, 2u}) EXPECT_TRUE(registers.written_to(portsc_1 + 16 * n).empty()) << n;
        });
}

// --- extended capabilities (7) ---

constexpr u32 bios = 1u << 16, os = 1u << 24;

void with_firmware(u32 semaphore, std::optional<duration> lets_go,
                   const std::function<void(register_file&)>& judge) {
  on_running(
      [&](register_file& registers) {
        registers.values[extended] = 1 | 8u << 8 | semaphore;
        registers.values[extended + 4] = all_ones;
        registers.values[extended + 32] = register_file::protocol_head(3, 0);
        registers.values[extended + 40] = 1 | 4u << 8;
        registers.on_write = [&registers, lets_go](u32 offset, u32 value) {
          if (offset != extended) return;
          registers.values[offset] = value;
          if (lets_go && (value & os))
            registers.plan(*lets_go, [&] { registers.values[extended] &= ~bios; });
        };
      },
      [&](register_file& registers, controller&) {
        judge(registers);
        // All SMI enables 0, the status bits cleared, the reserved bits kept (7.1.2).
        EXPECT_EQ(registers.written_to(extended + 4), std::vector<u32>{0xE00E'1FEE});
        EXPECT_TRUE(said("4 ports of USB 3 and 0 of USB 2\n")) << "the capability behind it";
      },
      3_s);
}

TEST(xhci_start, takes_over_from_the_firmware) {
  constexpr u32 head = 1 | 8u << 8;
  with_firmware(0, {}, [&](register_file& registers) {
    EXPECT_TRUE(registers.written_to(extended).empty());
  });
  with_firmware(bios, 900_ms, [&](register_file& registers) {
    EXPECT_EQ(registers.written_to(extended), std::vector<u32>{head | bios | os});
    EXPECT_FALSE(said("by force"));
    EXPECT_GE(registers.writes[registers.place_of(extended + 4)].when.ns, (900_ms).ns);
  });
  with_firmware(bios, {}, [&](register_file& registers) {
    EXPECT_EQ(registers.written_to(extended), (std::vector<u32>{head | bios | os, head | os}));
    EXPECT_TRUE(said("the firmware does not let go, taken by force"));
    const i64 time = registers.writes[registers.place_of(extended + 4)].when.ns;
    EXPECT_GE(time, (1_s).ns);
    EXPECT_LE(time, (1020_ms).ns);
  });
}

TEST(xhci_start, gives_each_port_the_protocol_that_claims_it) {
  struct range {
    u32 first, count, of_usb3;
  };
  for (const range& r : std::initializer_list<range>{
           {1, 4, 4}, {1, 1, 1}, {4, 1, 1}, {4, 5, 1}, {0, 2, 1}, {5, 3, 0}, {2, 0, 0}})
    on_running(
        [&](register_file& registers) {
          registers.values[extended] = register_file::protocol_head(3, 0);
          registers.values[extended + 8] = r.first | r.count << 8;
        },
        [&](register_file&, controller& driver) {
          EXPECT_TRUE(said(std::to_string(r.of_usb3) + " ports of USB 3 and 0 of USB 2\n"))
              << r.first << " " << r.count << sim::here().console();
          for (u32 n = 1; n <= ports; ++n)
            EXPECT_EQ(driver.port(n).supported(), n >= r.first && n < r.first + r.count) << n;
        });
}

TEST(xhci_start, remembers_the_slot_type_of_a_port) {
  on_running([](register_file& registers) { registers.values[extended + 28] = 0xE5; },
             [](register_file&, controller& driver) {
               EXPECT_EQ(driver.port(2).slot_type(), 0);
               EXPECT_EQ(driver.port(3).slot_type(), 5);
               EXPECT_EQ(driver.port(4).slot_type(), 5);
             });
}

// A capability is 16 bytes; one that reaches past the window is not read.
TEST(xhci_start, reads_no_capability_behind_the_window) {
  for (const bool inside : {true, false})
    on_running(
        [&](register_file& registers) {
          const u32 at = inside ? 0xFF0 : 0xFF4;
          registers.values[0x10] = 1u | (at / 4) << 16;
          registers.values[at] = register_file::protocol_head(3, 1);
          registers.values[at + 8] = 1 | 2u << 8;
        },
        [&](register_file&, controller&) {
          EXPECT_TRUE(said(inside ? "2 ports of USB 3" : "0 ports of USB 3"));
        });
  on_running([](register_file& registers) { registers.values[0x10] = 1; },
             [](register_file&, controller&) { EXPECT_TRUE(said("0 ports of USB 3 and 0 of")); });
}

// --- its health ---

TEST(xhci_health, names_what_has_happened) {
  const std::pair<u32, const char*> states[] = {{host_error, "host controller error"},
                                                {host_system_error, "host system error"},
                                                {halted, "the controller has halted"}};
  for (const auto& [status, text] : states)
    on_running({}, [&](register_file& registers, controller& driver) {
      EXPECT_FALSE(driver.dead());
      registers.values[usbsts] |= status;
      sleep_for(55_ms);
      EXPECT_TRUE(driver.dead());
      EXPECT_TRUE(said(std::string("xhci0: ") + text + "; every device on it is gone\n"));
      registers.values[usbsts] &= ~status;
      sleep_for(1_s);
      EXPECT_FALSE(driver.dead()) << "it was started again";
      EXPECT_EQ(times_said("version 1.10"), 2u);
      EXPECT_EQ(cut_offs, 0u);
    });
}

TEST(xhci_health, tries_a_controller_again_that_has_left_the_bus) {
  on_running({}, [](register_file& registers, controller& driver) {
    registers.gone = true;
    sleep_for(55_ms);
    EXPECT_TRUE(said("the controller has left the bus"));
    sleep_for(5_s);
    EXPECT_TRUE(driver.dead());
    EXPECT_EQ(times_said("does not start (error 19)"), 4u);
    EXPECT_TRUE(said("xhci0: it fails again and again; it is tried after pauses\n"));
    EXPECT_FALSE(said("cut off")) << "it reaches no memory any more";
    EXPECT_EQ(cut_offs, 0u);
    sleep_for(200_s);
    EXPECT_EQ(times_said("again and again"), 1u);
    EXPECT_EQ(times_said("does not start"), 4u) << "and no more is said";
    registers.gone = false;
    sleep_for(1_s);
    EXPECT_FALSE(driver.dead()) << "its return ends the pause";
  });
}

// A pause ends with a change of the ports. Where they show nothing, it is shorter.
TEST(xhci_health, has_a_pause_that_a_change_ends) {
  constexpr u32 second_port = portsc_1 + 16;
  struct course {
    const char* what;
    u32 portsc;
    duration least, most;
    std::function<void(register_file&)> change;
  };
  for (const course& c : std::initializer_list<course>{
           {"none", power, 59_s, 61_s, nullptr},
           {"a plug", power, 20_s, 21_s, [&](register_file& r) { r.values[second_port] |= 1; }},
           {"a pull", power | 1, 20_s, 21_s,
            [&](register_file& r) { r.values[second_port] &= ~1u; }},
           {"another bit of the port", power | 1, 59_s, 61_s,
            [&](register_file& r) { r.values[second_port] |= 1u << 22; }},
           {"no power", 0, 9_s, 11_s, nullptr}})
    on_running([](register_file& registers) { registers.starts_after = 5000_s; },
               [&](register_file& registers, controller&) {
                 for (u32 n = 0; n < ports; ++n)
                   registers.values[portsc_1 + 16 * n] = c.portsc & power;
                 registers.values[second_port] = c.portsc;
                 while (!said("again and again")) sleep_for(1_ms);
                 const instant begun = now();
                 const auto resets = [&] {
                   return std::ranges::count(registers.written_to(usbcmd), hcrst);
                 };
                 const auto before = resets();
                 while (resets() == before && now() - begun < 100_s) {
                   sleep_for(10_ms);
                   if (c.change && now() - begun >= 20_s) c.change(registers);
                 }
                 EXPECT_GE((now() - begun).ns, c.least.ns) << c.what;
                 EXPECT_LE((now() - begun).ns, c.most.ns) << c.what;
               },
               0_s);
}

TEST(xhci_health, has_a_pause_after_five_failures_in_a_row) {
  on_running([](register_file& registers) { registers.starts_after = 1000_s; },
             [](register_file& registers, controller& driver) {
               EXPECT_EQ(times_said("does not start (error 110)"), 5u);
               EXPECT_EQ(times_said("it fails again and again"), 1u);
               EXPECT_TRUE(driver.dead());
               // Each time it was reset, and left alone for a tenth of a second.
               EXPECT_EQ(times_said("cut off"), 0u);
               const auto commands = registers.written_to(usbcmd);
               EXPECT_EQ(std::ranges::count(commands, hcrst), 10);
             },
             10_s);
}

// Failures that are far apart are no row.
TEST(xhci_health, forgets_a_failure_after_a_minute_of_health) {
  for (const bool healthy : {true, false})
    on_running({}, [&](register_file& registers, controller&) {
      for (int i = 0; i < 7; ++i) {
        sleep_for(healthy ? 61_s : 58_s);
        registers.values[usbsts] |= host_error;
        sleep_for(60_ms);
        registers.values[usbsts] &= ~host_error;
      }
      sleep_for(5_s);
      EXPECT_EQ(said("it fails again and again"), !healthy);
    });
}

TEST(xhci_health, cuts_a_controller_off_that_cannot_be_reset) {
  on_running([](register_file& registers) { registers.resets_after = 5000_s; },
             [](register_file& registers, controller& driver) {
               EXPECT_EQ(cut_offs, 1u);
               EXPECT_EQ(times_said("it cannot be reset and is cut off from memory"), 1u);
               EXPECT_EQ(times_said("does not start"), 5u) << "it is tried again";
               EXPECT_EQ(times_said("again and again"), 1u);
               EXPECT_EQ(restored, 0u);
               registers.resets_after = {};
               sleep_for(90_s);
               EXPECT_FALSE(driver.dead());
               EXPECT_EQ(cut_offs, 1u);
               EXPECT_EQ(restored, 1u);
             },
             300_s);
}

// It says for a long time that it is not ready (CNR), and then it is.
TEST(xhci_health, never_gives_a_controller_up_that_is_not_ready) {
  for (const bool from_the_start : {true, false}) {
    const auto is_not_ready = [](register_file& registers) {
      registers.values[usbsts] |= halted | not_ready;
    };
    on_running(
        [&](register_file& registers) {
          if (from_the_start) is_not_ready(registers);
        },
        [&](register_file& registers, controller& driver) {
          is_not_ready(registers);
          sleep_for(600_s);
          EXPECT_EQ(times_said("version 1.10"), from_the_start ? 0u : 1u);
          EXPECT_EQ(cut_offs, 1u) << "it may still use memory";
          registers.values[usbsts] &= ~not_ready;
          sleep_for(75_s);
          EXPECT_FALSE(driver.dead());
          EXPECT_EQ(restored, 1u);
        });
  }
}

TEST(xhci_health, does_not_reset_what_it_has_never_found) {
  on_running([](register_file& registers) { registers.values[0x04] = 0; },
             [](register_file& registers, controller&) {
               EXPECT_EQ(times_said("does not start (error 5)"), 5u);
               EXPECT_TRUE(registers.writes.empty());
               EXPECT_EQ(cut_offs, 0u);
             },
             5_s);
}

// --- its interrupt ---

TEST(xhci_interrupt, is_the_controllers_when_either_register_says_so) {
  on_registers([](register_file&, controller& driver) {
    EXPECT_FALSE(driver.interrupt()) << "it does not run";
  });
  on_running({}, [](register_file& registers, controller& driver) {
    const auto interrupt = [&](u32 status, u32 pending) {
      registers.writes.clear();
      registers.values[usbsts] = status;
      registers.values[iman] = pending;
      return driver.interrupt();
    };
    EXPECT_FALSE(interrupt(0, 2)) << "another device's on the same line";
    EXPECT_TRUE(registers.writes.empty());
    EXPECT_FALSE(interrupt(all_ones, 3)) << "it has left the bus";
    EXPECT_TRUE(registers.writes.empty());
    registers.values[usbsts] = 0;
    for (const auto& [status, pending] :
         {std::pair{event_interrupt, 3u}, {0u, 3u}, {event_interrupt, 2u}}) {
      EXPECT_TRUE(interrupt(status, pending));
      // EINT is cleared before IP (5.4.2), and "event handler busy" also without an event.
      ASSERT_EQ(registers.writes.size(), 4u);
      EXPECT_EQ(registers.writes[0], (register_file::written{usbsts, event_interrupt, {}}));
      EXPECT_EQ(registers.writes[1], (register_file::written{iman, 3, {}}));
      EXPECT_EQ(registers.writes[2].offset, erdp);
      EXPECT_EQ(registers.writes[2].value & 15, 8u);
    }
  });
}

// A dead controller: its events are not read any more, and its line is silenced.
TEST(xhci_interrupt, of_a_dead_controller_only_silences_it) {
  on_running({}, [](register_file& registers, controller& driver) {
    driver.die("end");
    registers.writes.clear();
    registers.values[usbsts] = event_interrupt;
    registers.values[iman] = 3;
    EXPECT_TRUE(driver.interrupt());
    EXPECT_EQ(registers.writes,
              (std::vector<register_file::written>{{usbsts, event_interrupt, {}}, {iman, 1, {}}}));
  });
}

TEST(xhci_interrupt, is_not_touched_while_there_is_nothing_to_handle) {
  on_running({}, [](register_file& registers, controller&) {
    registers.writes.clear();
    sleep_for(10_s);
    EXPECT_TRUE(registers.writes.empty());
  });
}

}  // namespace
}  // namespace xhci
