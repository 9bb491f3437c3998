// Watching a controller: its health, its pauses, its interrupt (controller.cc), over a file of
// registers.
#include "tests/drivers/usb/register_file.h"

namespace xhci::over_registers {
namespace {

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
    EXPECT_EQ(times_said("cut off"), 1u);
    EXPECT_EQ(cut_offs, 1u) << "it may still reach memory";
    sleep_for(200_s);
    EXPECT_EQ(times_said("again and again"), 1u);
    EXPECT_EQ(times_said("does not start"), 4u) << "and no more is said";
    registers.gone = false;
    sleep_for(1_s);
    EXPECT_FALSE(driver.dead()) << "its return ends the pause";
    EXPECT_EQ(restored, 1u);
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
               EXPECT_EQ(registers.port_reads_in_reset, 0u) << "they tell nothing then (5.4.1)";
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

// Its line stays raised whatever is written. A handler that claimed it would be called for ever,
// and no task would run again; a line that no handler claims is masked (hal/irq.h).
TEST(xhci_interrupt, is_not_claimed_when_it_cannot_be_silenced) {
  for (const bool dead : {false, true})
    on_running({}, [&](register_file& registers, controller& driver) {
      if (dead) driver.die("end");
      for (const bool stays : {true, false}) {
        registers.stays_pending = stays;
        registers.values[iman] = 3;
        EXPECT_EQ(driver.interrupt(), !stays) << dead;
      }
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
}  // namespace xhci::over_registers
