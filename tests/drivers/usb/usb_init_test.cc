// From the PCI bus to a running controller (usb_init.h).
#include "drivers/usb/usb_init.h"

#include <gtest/gtest.h>

#include <deque>

#include "drivers/char/info_device.h"
#include "drivers/pci/pci.h"
#include "hal/irq.h"
#include "tests/fs/machine.h"
#include "tests/sim/audit.h"
#include "tests/sim/irq.h"
#include "tests/sim/mmio.h"
#include "tests/sim/pci_bus.h"
#include "tests/sim/xhci/machine.h"

namespace {

using sim::said;

constexpr u64 window = 0xFEB0'0000;
constexpr u8 interrupt_line = 0x3C;

// A machine with one controller at 0:4.0, which usb_init is to find.
void with_controller(u8 line,
                     const std::function<void(sim::pci_bus&, sim::pci_bus::function&)>& prepare,
                     const std::function<void(sim::usb_machine&, sim::medium&)>& body,
                     bool left_running = false) {
  sim::medium stick(2048);
  stick.least_latency = stick.most_latency = 10_us;
  const bool routed = can_be_level_triggered(line);
  sim::usb_machine machine({.interrupt_line = routed});
  sim::pci_bus bus;
  auto& found = bus.add(0, 4, 0, 0x1B36, 0x000D, pci_class::xhci)
                    .bar(0, window, sim::hc::window_size, 4)
                    .set(interrupt_line, line, 1);
  bus.add(0, 1, 0, 0x8086, 0x7010, 0x010180);
  if (prepare) prepare(bus, found);
  // Without interrupts the driver finds its events when it looks: no wake-up is lost then.
  sim::world world({.seed = 1, .plain_sleeps = !routed});
  world.run([&] {
    sim::boot();
    machine.switch_on();
    if (left_running) machine.controller().leave_running();
    {
      const sim::kept_memory for_ever;
      pci_init();
      usb_init();
    }
    sleep_for(1_s);
    body(machine, stick);
    if (stick.plugged()) stick.pull();
    sleep_for(1_s);
  });
  for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
}

duration live_after_plug(sim::usb_machine& machine, sim::medium& stick) {
  stick.plug(machine.port(1));
  const instant begun = now();
  while (sim::state_of(sim::sda) != checkpoint::volume_state::live && now() - begun < 2_s)
    sleep_for(1_ms);
  return now() - begun;
}

TEST(usb_init, starts_the_controllers_of_the_pci_bus) {
  sim::pci_bus::function* controller = nullptr;
  with_controller(
      11, [&](auto&, auto& found) { controller = &found; },
      [&](sim::usb_machine& machine, sim::medium& stick) {
        EXPECT_EQ(controller->read(4, 2) & 0x406, 6u) << "memory, bus master, its interrupt line";
        EXPECT_TRUE(said("xhci0: version 1.10"));
        EXPECT_FALSE(said("polling"));
        EXPECT_LT(live_after_plug(machine, stick).ns, (170_ms).ns) << "by interrupts";
      });
}

// The line is shared. The neighbour has no driver, so it must not raise it.
TEST(usb_init, lets_no_other_device_raise_the_line) {
  sim::pci_bus::function *controller = nullptr, *neighbour = nullptr;
  with_controller(
      11,
      [&](sim::pci_bus& bus, auto& found) {
        controller = &found;
        neighbour = &bus.add(0, 5, 0, 0x8086, 0x100E, 0x020000);
        neighbour->set(interrupt_line, 11, 1).set(4, 0x0007, 2);
      },
      [&](sim::usb_machine&, sim::medium&) {
        EXPECT_EQ(neighbour->read(4, 2), 0x0407u);
        EXPECT_EQ(controller->read(4, 2) & 0x400, 0u);
        // Every write before the last one: it does not raise the line without a handler.
        ASSERT_FALSE(controller->commands.empty());
        for (size_t i = 0; i + 1 < controller->commands.size(); ++i)
          EXPECT_EQ(controller->commands[i] & 0x400, 0x400u) << i;
      });
}

// Without a task nothing starts the controller or hears of its interrupts.
TEST(usb_init, gives_no_handler_to_a_controller_without_a_task) {
  sim::pci_bus bus;
  sim::hc::controller_settings settings;
  auto& found = bus.add(0, 4, 0, 1, 1, pci_class::xhci).bar(0, window, sim::hc::window_size, 4);
  found.set(interrupt_line, 11, 1);
  sim::usb_machine machine(settings);
  sim::run(1, [&] {
    sim::boot();
    machine.switch_on();
    const sim::kept_memory for_ever;
    sim::fill_task_table();
    pci_init();
    usb_init();
    EXPECT_TRUE(said("xhci at 00:04.0: not usable (error 11)\n"));
    EXPECT_EQ(sim::users_of_irq(11).all, 0u);
    EXPECT_EQ(found.read(4, 2) & 0x404, 0x400u) << "it reaches no memory, and raises no line";
  });
}

// The firmware has left it running: its line is raised when it gets a handler.
TEST(usb_init, can_claim_the_interrupt_line_from_the_first_moment) {
  with_controller(
      11, {},
      [](sim::usb_machine& machine, sim::medium& stick) {
        EXPECT_FALSE(sim::irq_is_masked(11));
        EXPECT_LT(live_after_plug(machine, stick).ns, (170_ms).ns) << "by interrupts";
      },
      true);
}

// The firmware has routed no line: it says 255, or 0. The other numbers are lines of the board,
// too.
TEST(usb_init, does_without_an_interrupt_line) {
  for (const u8 line : std::to_array<u8>({255, 0, 1, 2, 8, 13}))
    with_controller(line, {}, [line](sim::usb_machine& machine, sim::medium& stick) {
      EXPECT_TRUE(said("xhci0: no interrupt line, polling\n")) << int{line};
      EXPECT_EQ(sim::users_of_irq(line & 15).all, 0u) << int{line};
      EXPECT_LT(live_after_plug(machine, stick).ns, (3_s).ns) << int{line};
    });
}

TEST(usb_init, lets_a_controller_be_cut_off_from_memory) {
  sim::pci_bus::function* controller = nullptr;
  with_controller(
      11, [&](auto&, auto& found) { controller = &found; },
      [&](sim::usb_machine& machine, sim::medium&) {
        machine.controller().never_resets = true;
        machine.controller().break_down();
        sleep_for(30_s);
        EXPECT_TRUE(said("cut off from memory"));
        EXPECT_EQ(controller->read(4, 2) & 0x404, 0x400u) << "no bus master, no interrupt line";
        machine.controller().never_resets = false;
        sleep_for(90_s);
        EXPECT_EQ(controller->read(4, 2) & 0x406, 6u) << "after its reset it works again";
      });
}

TEST(usb_init, passes_over_what_it_cannot_use) {
  sim::pci_bus bus;
  bus.add(0, 4, 0, 1, 1, pci_class::xhci);  // no region of registers
  bus.add(2, 31, 7, 1, 1, pci_class::xhci);
  bus.add(0, 5, 0, 1, 1, 0x0C0320);  // EHCI
  bus.add(0, 6, 0, 1, 1, pci_class::pci_bridge).set(0x19, 2, 1);
  bus.add(2, 31, 0, 1, 1, 0x020000).set(0x0E, 0x80, 1);
  sim::run(1, [] {
    sim::boot();
    pci_init();
    usb_init();
    EXPECT_TRUE(said("xhci at 00:04.0: not usable (error 19)\n"));
    EXPECT_TRUE(said("xhci at 02:1f.7: not usable (error 19)\n"));
    EXPECT_FALSE(said("05.0"));
  });
}

// More controllers than there is room for: four are served.
TEST(usb_init, serves_four_controllers) {
  sim::pci_bus bus;
  struct dead_registers final : sim::mmio_model {
    u32 read32(u32) override { return ~0u; }
    void write32(u32, u32) override {}
  } registers;
  std::deque<sim::mmio_region> regions;
  sim::pci_bus::function* last = nullptr;
  for (u8 n = 0; n < 5; ++n) {
    const u64 at = window + n * u64{0x1'0000};
    regions.emplace_back(phys_addr{at}, 0x1000u, registers);
    last = &bus.add(0, n, 0, 1, 1, pci_class::xhci).bar(0, at, 0x1000, 0);
    last->set(interrupt_line, 255, 1);
  }
  sim::run(1, [&] {
    sim::boot();
    pci_init();
    usb_init();
    sleep_for(5_s);
    for (char n : {'0', '1', '2', '3'})
      EXPECT_TRUE(
          said(std::string("xhci") + n + ": it fails again and again; it is tried after pauses\n"))
          << n;
    EXPECT_TRUE(said("xhci at 00:04.0: not usable (error 23)\n"));
    EXPECT_EQ(last->read(4, 2) & 0x404, 0x400u) << "it reaches no memory, and raises no line";
  });
}

// Intel's 7 and 8 series: the connectors may be switched to an EHCI controller.
TEST(usb_init, switches_the_connectors_of_intels_chips) {
  constexpr u8 usb2_routing = 0xD0, usb2_mask = 0xD4, usb3_enable = 0xD8, usb3_mask = 0xDC;
  using writes = std::vector<std::pair<u8, u32>>;
  struct chip {
    u16 vendor, id;
    bool switches;
  };
  for (const chip& c : std::initializer_list<chip>{{0x8086, 0x1E31, true},
                                                   {0x8086, 0x8C31, true},
                                                   {0x8086, 0x9C31, true},
                                                   {0x8086, 0xA12F, false},
                                                   {0x1022, 0x1E31, false}}) {
    sim::pci_bus bus;
    auto& f = bus.add(0, 20, 0, c.vendor, c.id, pci_class::xhci);
    f.set(usb2_mask, 0x3FFF).set(usb3_mask, 0x0F);
    sim::run(1, [] {
      sim::boot();
      pci_init();
      usb_init();
    });
    const writes expected{{usb3_enable, 0x0F}, {usb2_routing, 0x3FFF}};
    EXPECT_EQ(f.others, c.switches ? expected : writes{}) << std::hex << c.id;
  }
}

}  // namespace
