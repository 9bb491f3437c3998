// Bringing a controller up (start.cc), over a file of registers.
#include "tests/drivers/usb/register_file.h"

namespace xhci::over_registers {
namespace {

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

}  // namespace
}  // namespace xhci::over_registers
