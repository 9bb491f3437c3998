#include "drivers/pci/pci.h"

#include <array>
#include <utility>

#include "hal/log.h"
#include "hal/port_io.h"
#include "lib/bits.h"

namespace {

// Configuration mechanism #1 (3.2.2.3.2).
constexpr io_port config_address = 0xCF8, config_data = 0xCFC;
using enable_bit = field<31>;
using bus_field = field<23, 16>;
using device_field = field<15, 11>;
using function_field = field<10, 8>;

constexpr u8 reg_vendor = 0x00, reg_device = 0x02, reg_command = 0x04, reg_revision = 0x08,
             reg_header_type = 0x0E, reg_bar0 = 0x10, reg_secondary_bus = 0x19,
             reg_interrupt_line = 0x3C;
constexpr u16 no_device = 0xFFFF;
using multi_function = field<7, 7, u8>;
constexpr u16 command_memory = 1 << 1, command_master = 1 << 2, command_intx_disable = 1 << 10;

// Base address registers (6.2.5.1).
using bar_is_io = field<0>;
using bar_type = field<2, 1>;
constexpr u32 bar_type_64 = 2;
constexpr u32 bar_flags = 15;
constexpr u8 bars = 6;

std::array<pci_device, 64> devices;
u32 device_count = 0, left_out = 0;
std::array<bool, 256> bus_is_known;

void select(const pci_device& at, u8 offset) {
  out32(config_address, enable_bit::of(1) | bus_field::of(at.bus) | device_field::of(at.device) |
                            function_field::of(at.function) | (offset & 0xFCu));
}

constexpr io_port data_port(u8 offset) { return static_cast<io_port>(config_data + (offset & 3)); }

constexpr u8 bar_register(u8 index) { return static_cast<u8>(reg_bar0 + 4 * index); }

void scan_bus(u8 bus, u32 depth);

// Of any programming interface: a bridge that decodes subtractively has another one (appendix D).
bool is_bridge(const pci_device& found) {
  return found.class_code >> 8 == pci_class::pci_bridge >> 8;
}

void change_command(const pci_device& at, u16 clear, u16 set) {
  const u16 command = pci_read16(at, reg_command);
  pci_write16(at, reg_command, static_cast<u16>((command & ~clear) | set));
}

// Functions share interrupt lines. If the firmware has left one with its line raised, no driver of
// another one could use the line.
void silence(const pci_device& at) { change_command(at, 0, command_intx_disable); }

void keep(const pci_device& found) {
  if (device_count == devices.size())
    ++left_out;
  else
    devices[device_count++] = found;
}

void add_function(pci_device found, u32 depth) {
  silence(found);
  found.vendor_id = pci_read16(found, reg_vendor);
  found.device_id = pci_read16(found, reg_device);
  found.class_code = pci_read32(found, reg_revision) >> 8;
  found.interrupt_line = pci_read8(found, reg_interrupt_line);
  keep(found);
  if (is_bridge(found)) scan_bus(pci_read8(found, reg_secondary_bus), depth + 1);
}

// Bridges may lead back to an earlier bus; the firmware leaves 0 in one that it has given no bus. A
// device must not be found twice: two drivers would use it. `depth` is for the kernel's stack.
void scan_bus(u8 bus, u32 depth) {
  if (depth > 8 || std::exchange(bus_is_known[bus], true)) return;
  for (u8 number = 0; number < 32; ++number) {
    pci_device found{.bus = bus, .device = number};
    if (pci_read16(found, reg_vendor) == no_device) continue;
    const u8 functions = multi_function::in(pci_read8(found, reg_header_type)) ? 8 : 1;
    for (found.function = 0; found.function < functions; ++found.function)
      if (pci_read16(found, reg_vendor) != no_device) add_function(found, depth);
  }
}

// Writes all ones to a base address register and reads which bits keep their 1.
u32 probe_bar(const pci_device& at, u8 index) {
  const u32 before = pci_read32(at, bar_register(index));
  pci_write32(at, bar_register(index), ~0u);
  const u32 probed = pci_read32(at, bar_register(index));
  pci_write32(at, bar_register(index), before);
  return probed;
}

}  // namespace

void pci_init() {
  scan_bus(0, 0);
  if (left_out > 0) printk("pci: no room for %u devices; they are not used\n", left_out);
}

std::span<const pci_device> pci_devices() { return {devices.data(), device_count}; }

u8 pci_read8(const pci_device& at, u8 offset) {
  select(at, offset);
  return in8(data_port(offset));
}

u16 pci_read16(const pci_device& at, u8 offset) {
  select(at, offset);
  return in16(data_port(offset));
}

u32 pci_read32(const pci_device& at, u8 offset) {
  select(at, offset);
  return in32(config_data);
}

void pci_write16(const pci_device& at, u8 offset, u16 value) {
  select(at, offset);
  out16(data_port(offset), value);
}

void pci_write32(const pci_device& at, u8 offset, u32 value) {
  select(at, offset);
  out32(config_data, value);
}

result<pci_bar> pci_bar_region(const pci_device& at, u8 index) {
  if (index >= bars) return fail(error::enodev);
  const u32 low = pci_read32(at, bar_register(index));
  const bool wide = bar_type::get(low) == bar_type_64;
  if (bar_is_io::in(low) || (wide && index + 1 >= bars)) return fail(error::enodev);
  const u8 next = static_cast<u8>(index + 1);

  const u16 command = pci_read16(at, reg_command);
  pci_write16(at, reg_command, static_cast<u16>(command & ~command_memory));
  const u32 probed_low = probe_bar(at, index) & ~bar_flags;
  const u32 probed_high = wide ? probe_bar(at, next) : ~0u;
  pci_write16(at, reg_command, command);

  if (probed_low == 0 && (!wide || probed_high == 0)) return fail(error::enodev);
  const u64 high = wide ? pci_read32(at, bar_register(next)) : 0;
  const u64 size = ~(u64{probed_high} << 32 | probed_low) + 1;  // the lowest bit that kept its 1
  return pci_bar{phys_addr{high << 32 | (low & ~bar_flags)}, size};
}

result<mmio_window> pci_map_bar(const pci_device& at, u8 index) {
  const pci_bar region = TRY(pci_bar_region(at, index));
  if (region.size > u64{1} << 31) return fail(error::einval);
  return map_mmio(region.address, static_cast<u32>(region.size));
}

void pci_enable(const pci_device& at) { change_command(at, 0, command_memory | command_master); }

void pci_enable_interrupt(const pci_device& at) { change_command(at, command_intx_disable, 0); }

void pci_cut_off(const pci_device& at) { change_command(at, command_master, command_intx_disable); }
