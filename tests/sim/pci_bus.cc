#include "tests/sim/pci_bus.h"

namespace sim {

namespace {
constexpr io_port address_port = 0xCF8, data_port = 0xCFC;
constexpr u8 command = 4;
constexpr u32 enable = 1u << 31, memory_space = 2;
}  // namespace

pci_bus::function& pci_bus::function::set(u8 offset, u32 value, u32 width) {
  for (u32 i = 0; i < width; ++i) bytes_[offset + i] = static_cast<u8>(value >> 8 * i);
  return *this;
}

pci_bus::function& pci_bus::function::bar(u8 index, u64 address, u64 size, u32 flags) {
  const auto at = static_cast<u8>(0x10 + 4 * index);
  const u64 mask = ~(size - 1);
  const auto put = [&](u8 offset, u32 value, u32 keeps) {
    set(offset, value);
    keeps_[offset] = keeps;
    first_value_[offset] = value;
  };
  put(at, static_cast<u32>(address) | flags, static_cast<u32>(mask));
  if ((flags & 7) == 4)
    put(static_cast<u8>(at + 4), static_cast<u32>(address >> 32), static_cast<u32>(mask >> 32));
  return *this;
}

u32 pci_bus::function::read(u8 offset, u32 width) const {
  u32 value = 0;
  for (u32 i = 0; i < width; ++i) value |= u32{bytes_[offset + i]} << 8 * i;
  return value;
}

void pci_bus::function::write(u8 offset, u32 width, u32 value) {
  if (const auto bar = keeps_.find(offset); bar != keeps_.end() && width == 4) {
    const u32 kept = (value & bar->second) | (read(offset, 4) & 15 & ~bar->second);
    set(offset, kept);
    if ((read(command, 2) & memory_space) && kept != first_value_[offset])
      decoded_while_sized = true;
    return;
  }
  if (offset == command && width == 2)
    commands.push_back(value);
  else if (offset < 0x10 || offset >= 0x28)
    others.emplace_back(offset, value);
  if (offset < 0x10 || offset >= 0x28) set(offset, value, width);
}

pci_bus::function& pci_bus::add(u8 bus, u8 device, u8 number, u16 vendor, u16 id, u32 class_code) {
  function& f = functions_[enable | u32{bus} << 16 | u32{device} << 11 | u32{number} << 8];
  f.set(0, u32{id} << 16 | vendor).set(8, class_code << 8 | 1);
  return f;
}

pci_bus::function* pci_bus::selected() {
  const auto found = functions_.find(address_ & ~0xFFu);
  return found == functions_.end() ? nullptr : &found->second;
}

u32 pci_bus::in(io_port port, u32 width) {
  ++reads_;
  const u32 ones = width == 4 ? ~0u : (1u << 8 * width) - 1;
  if (port == address_port && width == 4) return address_;
  const auto within = static_cast<u8>(port - data_port);
  if (port < data_port || within + width > 4) return ones;
  const function* f = selected();
  return f ? f->read(static_cast<u8>((address_ & 0xFC) + within), width) : ones;
}

void pci_bus::out(io_port port, u32 width, u32 value) {
  if (port == address_port && width == 4) address_ = value;
  const auto within = static_cast<u8>(port - data_port);
  if (port < data_port || within + width > 4) return;
  if (function* f = selected()) f->write(static_cast<u8>((address_ & 0xFC) + within), width, value);
}

}  // namespace sim
