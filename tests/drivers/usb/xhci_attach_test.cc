// What the host is short of – memory, slots – is no fault of the device that is plugged in: it is
// tried again until there is enough (drivers/usb/xhci/ports.h, core.h).
#include <gtest/gtest.h>

#include "drivers/block/media_event.h"
#include "hal/memory.h"
#include "tests/fs/machine.h"
#include "tests/sim/memory.h"
#include "tests/sim/xhci/machine.h"

namespace xhci {
namespace {

using namespace sim;

// Sticks that have arrived and not left.
i32 present = 0;

void watch_arrivals() {
  present = 0;
  set_media_listener({[](block_device&) { ++present; }, [](block_device&) { --present; }});
}

size_t count_on_console(std::string_view text) {
  const std::string& console = here().console();
  size_t count = 0;
  for (size_t at = 0; (at = console.find(text, at)) != std::string::npos; at += text.size())
    ++count;
  return count;
}

// Plugs a stick in while only `pages` are free. Whether these were enough; if not, it must arrive
// when there are more.
bool attaches_with(u32 pages) {
  medium stick(2048);
  usb_machine machine;
  bool at_once = false;
  world world({.time_limit = 1000_s});
  world.run([&] {
    watch_arrivals();
    machine.power_on();
    sleep_for(1_s);
    memory().leave_only(pages);
    stick.plug(machine.port(1));
    sleep_for(4_s);
    at_once = present == 1;
    EXPECT_EQ(count_on_console("no memory for what is plugged in"), at_once ? 0u : 1u) << pages;
    memory().leave_only(1000);
    sleep_for(3_s);
    EXPECT_EQ(present, 1) << pages;
    stick.pull();
    sleep_for(1_s);
    EXPECT_EQ(present, 0);
    EXPECT_EQ(machine.controller().slots_in_use(), 0u);
  });
  for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
  return at_once;
}

TEST(xhci_attach, is_tried_again_after_want_of_memory) {
  u32 pages = 0;
  while (pages < 100 && !attaches_with(pages)) ++pages;
  EXPECT_GT(pages, 5u);
  EXPECT_LT(pages, 100u);
}

TEST(xhci_attach, is_tried_again_after_want_of_a_slot) {
  medium first(2048), second(2048, "SIM2");
  usb_machine machine({.slots = 1});
  world world({.time_limit = 1000_s});
  world.run([&] {
    watch_arrivals();
    machine.power_on();
    first.plug(machine.port(1));
    sleep_for(1_s);
    second.plug(machine.port(2));
    sleep_for(4_s);
    EXPECT_EQ(present, 1);
    EXPECT_EQ(machine.stick_of(second).commands(), 0u);
    first.pull();
    sleep_for(3_s);
    EXPECT_EQ(present, 1);
    EXPECT_GT(machine.stick_of(second).commands(), 0u);
    second.pull();
    sleep_for(1_s);
  });
  for (const std::string& each : machine.controller().violations()) ADD_FAILURE() << each;
}

// What waits for memory is pulled, and another stick is plugged in: that one is tried at once.
TEST(xhci_attach, forgets_what_was_pulled) {
  medium stick(2048);
  usb_machine machine;
  world world({.time_limit = 1000_s});
  world.run([&] {
    watch_arrivals();
    machine.power_on();
    sleep_for(1_s);
    memory().leave_only(0);
    stick.plug(machine.port(1));
    sleep_for(1_s);
    stick.pull();
    sleep_for(500_ms);
    memory().leave_only(1000);
    stick.plug(machine.port(1));
    sleep_for(500_ms);
    EXPECT_EQ(present, 1);
    stick.pull();
    sleep_for(1_s);
  });
}

}  // namespace
}  // namespace xhci
