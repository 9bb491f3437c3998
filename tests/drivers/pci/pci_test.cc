// The PCI buses (pci.h), over simulated configuration space.
#include "drivers/pci/pci.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "tests/sim/mmio.h"
#include "tests/sim/pci_bus.h"
#include "tests/sim/scheduler.h"

namespace {

using sim::pci_bus;

constexpr u8 command = 4, header_type = 0x0E, secondary_bus = 0x19, interrupt_line = 0x3C;
constexpr u32 network = 0x020000;

void with_bus(const std::function<void(pci_bus&)>& body) {
  pci_bus bus;
  sim::run(1, [&] { body(bus); });
}
std::vector<u32> places() {  // bus, device and function in one number
  std::vector<u32> found;
  for (const pci_device& each : pci_devices())
    found.push_back(u32{each.bus} << 16 | u32{each.device} << 8 | each.function);
  return found;
}

TEST(pci, finds_every_function_and_what_it_is) {
  with_bus([](pci_bus& bus) {
    bus.add(0, 0, 0, 0x8086, 0x1237, 0x060000);
    bus.add(0, 31, 0, 0x1B36, 0x000D, pci_class::xhci).set(interrupt_line, 11, 1);
    bus.add(0, 5, 0, 0x1000, 1, network).set(header_type, 0x80, 1);
    bus.add(0, 5, 3, 0x1000, 2, network);
    bus.add(0, 5, 7, 0x1000, 3, network);
    bus.add(0, 6, 0, 0x1000, 4, network);
    bus.add(0, 6, 1, 0x1000, 5, network);  // its device has one function only
    pci_init();
    EXPECT_EQ(places(), (std::vector<u32>{0x000, 0x500, 0x503, 0x507, 0x600, 0x1F00}));
    const pci_device& last = pci_devices().back();
    EXPECT_EQ(last.vendor_id, 0x1B36);
    EXPECT_EQ(last.device_id, 0x000D);
    EXPECT_EQ(last.class_code, pci_class::xhci);
    EXPECT_EQ(last.interrupt_line, 11);
  });
}

TEST(pci, finds_nothing_on_an_empty_bus) {
  with_bus([](pci_bus& bus) {
    pci_init();
    EXPECT_TRUE(pci_devices().empty());
    EXPECT_EQ(bus.reads(), 32u) << "once for each device";
  });
  sim::run(1, [] {
    pci_init();
    EXPECT_TRUE(pci_devices().empty()) << "no PCI at all";
  });
}

TEST(pci, looks_behind_bridges) {
  with_bus([](pci_bus& bus) {
    for (u8 n = 0; n < 10; ++n) {
      bus.add(n, 1, 0, 1, 1, pci_class::pci_bridge).set(secondary_bus, n + 1u, 1);
      bus.add(n, 2, 0, 1, 2, network);
    }
    pci_init();
    // Bus 0 and eight more: deeper than any machine, and a loop of bridges ends.
    u32 deepest = 0, devices = 0;
    for (const pci_device& each : pci_devices()) {
      deepest = std::max(deepest, u32{each.bus});
      devices += each.class_code == network;
    }
    EXPECT_EQ(deepest, 8u);
    EXPECT_EQ(devices, 9u);
  });
}

// A bridge that decodes subtractively has another programming interface.
TEST(pci, looks_behind_bridges_of_each_kind) {
  constexpr u32 subtractive = 0x060401;
  with_bus([](pci_bus& bus) {
    bus.add(0, 1, 0, 1, 1, subtractive).set(secondary_bus, 5, 1);
    bus.add(0, 2, 0, 1, 1, 0x060000).set(secondary_bus, 6, 1);  // a host bridge leads nowhere
    auto& behind = bus.add(5, 3, 0, 1, 2, pci_class::xhci);
    bus.add(6, 4, 0, 1, 2, pci_class::xhci);
    pci_init();
    EXPECT_EQ(places(), (std::vector<u32>{0x100, 0x5'0300, 0x200}));
    EXPECT_EQ(behind.commands, (std::vector<u32>{0x400})) << "it must not raise a line";
  });
}

// The firmware has given some bridges no bus of their own, and another one a bus that is behind
// two. No driver may get a device twice, and the walk must end.
TEST(pci, finds_no_device_twice) {
  with_bus([](pci_bus& bus) {
    for (const u8 n : std::to_array<u8>({1, 2, 3, 4}))
      bus.add(0, n, 0, 1, 1, pci_class::pci_bridge).set(secondary_bus, n < 3 ? 0 : 7, 1);
    bus.add(0, 20, 0, 1, 2, pci_class::xhci);
    bus.add(7, 3, 0, 1, 3, pci_class::xhci);
    bus.add(7, 4, 0, 1, 1, pci_class::pci_bridge).set(secondary_bus, 255, 1);
    bus.add(255, 5, 0, 1, 1, pci_class::pci_bridge).set(secondary_bus, 7, 1);
    pci_init();
    auto found = places();
    EXPECT_EQ(found.size(), 8u);
    std::ranges::sort(found);
    EXPECT_EQ(std::ranges::adjacent_find(found), found.end());
  });
}

TEST(pci, keeps_no_more_devices_than_it_has_room_for) {
  for (const u32 more : {0u, 1u, 20u})
    with_bus([&](pci_bus& bus) {
      for (u32 i = 0; i < 64 + more; ++i) {
        auto& f = bus.add(0, static_cast<u8>(i / 8), static_cast<u8>(i % 8), 1, 1, network);
        f.set(header_type, 0x80, 1);
      }
      pci_init();
      EXPECT_EQ(pci_devices().size(), 64u);
      const std::string told =
          more ? "pci: no room for " + std::to_string(more) + " devices; they are not used\n" : "";
      EXPECT_EQ(sim::here().console(), told);
    });
}

TEST(pci, reads_and_writes_each_width_in_its_place) {
  with_bus([](pci_bus& bus) {
    auto& f = bus.add(3, 4, 5, 0x1111, 0x2222, network);
    f.set(0x40, 0x4433'2211);
    const pci_device at{.bus = 3, .device = 4, .function = 5};
    constexpr u8 expected[] = {0x11, 0x22, 0x33, 0x44};
    for (u8 i = 0; i < 4; ++i) EXPECT_EQ(pci_read8(at, static_cast<u8>(0x40 + i)), expected[i]);
    EXPECT_EQ(pci_read16(at, 0x40), 0x2211);
    EXPECT_EQ(pci_read16(at, 0x42), 0x4433);
    EXPECT_EQ(pci_read32(at, 0x40), 0x4433'2211u);
    pci_write16(at, 0x42, 0xBEEF);
    EXPECT_EQ(f.read(0x40, 4), 0xBEEF'2211);
    pci_write32(at, 0x44, 0x0102'0304);
    EXPECT_EQ(f.read(0x44, 4), 0x0102'0304u);
  });
}

// --- base address registers (6.2.5.1) ---

constexpr u32 io = 1, wide = 4, prefetchable = 8;

TEST(pci, measures_a_region_and_leaves_the_device_as_it_was) {
  struct region {
    u8 index;
    u64 address, size;
    u32 flags;
  };
  for (const region& r :
       std::initializer_list<region>{{0, 0xFEB0'0000, 0x4000, 0},
                                     {5, 0xE000'0000, 0x1000'0000, prefetchable},
                                     {1, 0x1000, 16, 0},
                                     {0, 0xFEB0'0000, 0x1'0000, wide},
                                     {4, 0x12'3456'0000, 0x2'0000, wide | prefetchable},
                                     {2, 0x40'0000'0000, u64{1} << 33, wide}})
    with_bus([&](pci_bus& bus) {
      auto& f = bus.add(0, 1, 0, 1, 1, network).bar(r.index, r.address, r.size, r.flags);
      f.set(command, 0x0107, 2);
      const auto found = pci_bar_region({.device = 1}, r.index);
      ASSERT_TRUE(found) << r.address;
      EXPECT_EQ(found->address.value(), r.address);
      EXPECT_EQ(found->size, r.size);
      EXPECT_EQ(f.commands, (std::vector<u32>{0x0105, 0x0107}));
      EXPECT_FALSE(f.decoded_while_sized) << "for a moment it stood in the way of other memory";
      EXPECT_EQ(f.read(static_cast<u8>(0x10 + 4 * r.index), 4),
                static_cast<u32>(r.address) | r.flags);
    });
}

TEST(pci, has_no_region_where_there_is_none) {
  with_bus([](pci_bus& bus) {
    bus.add(0, 1, 0, 1, 1, network).bar(1, 0xC000, 0x20, io).bar(5, 0xE000'0000, 0x1000, wide);
    const pci_device at{.device = 1};
    for (const u8 index : {u8{0}, u8{1}, u8{5}, u8{6}})
      EXPECT_EQ(pci_bar_region(at, index).error(), error::enodev) << int{index};
  });
}

struct no_registers final : sim::mmio_model {
  u32 read32(u32) override { return 0; }
  void write32(u32, u32) override {}
};

TEST(pci, maps_a_region_as_large_as_it_is) {
  no_registers model;
  const sim::mmio_region region(phys_addr{0x8000'0000}, 0x8000'0000, model);
  for (const u64 size : {u64{0x4000}, u64{1} << 31, u64{1} << 32})
    with_bus([&](pci_bus& bus) {
      bus.add(0, 1, 0, 1, 1, network).bar(0, 0x8000'0000, size, wide);
      const auto mapped = pci_map_bar({.device = 1}, 0);
      EXPECT_EQ(mapped.has_value(), size <= u64{1} << 31);
      if (mapped) {
        EXPECT_EQ(mapped->size(), size);
      } else {
        EXPECT_EQ(mapped.error(), error::einval);
      }
      EXPECT_EQ(pci_map_bar({.device = 1}, 2).error(), error::enodev);
    });
}

// The firmware has left them at work. One that has no room in the list shares its line as well.
TEST(pci, keeps_every_function_from_raising_its_line) {
  with_bus([](pci_bus& bus) {
    std::vector<pci_bus::function*> functions;
    for (u8 n = 0; n < 70; ++n)
      functions.push_back(&bus.add(0, n / 8, n % 8, 1, 1, network).set(header_type, 0x80, 1));
    for (pci_bus::function* each : functions) each->set(command, 0x0107, 2);
    pci_init();
    for (const pci_bus::function* each : functions) EXPECT_EQ(each->read(command, 2), 0x0507u);
    pci_enable_interrupt({.device = 1});
    EXPECT_EQ(functions[8]->read(command, 2), 0x0107u);
    EXPECT_EQ(functions[9]->read(command, 2), 0x0507u);
  });
}

TEST(pci, lets_a_device_work_and_cuts_it_off) {
  with_bus([](pci_bus& bus) {
    auto& f = bus.add(0, 1, 0, 1, 1, network).set(command, 0x0400 | 0x0100, 2);
    pci_enable({.device = 1});
    EXPECT_EQ(f.read(command, 2), 0x0506u) << "memory, bus master";
    pci_enable_interrupt({.device = 1});
    EXPECT_EQ(f.read(command, 2), 0x0106u) << "its interrupt line";
    pci_cut_off({.device = 1});
    EXPECT_EQ(f.read(command, 2), 0x0502u) << "its registers can still be read";
  });
}

}  // namespace
