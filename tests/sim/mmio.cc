// The host's hal/mmio.h: a window's base pointer is the bus address, and does not point to memory.
#include "tests/sim/mmio.h"

#include <map>

#include "hal/mmio.h"
#include "hal/panic.h"

namespace sim {
namespace {

struct region {
  u32 size;
  mmio_model* model;
};

std::map<u64, region>& regions() {
  static std::map<u64, region> all;
  return all;
}

struct reached {
  mmio_model* model;
  u32 offset;
};

// The model that answers at base + offset. There is none only if a driver has a bug.
reached reach(const void* base, u32 window_size, u32 offset) {
  const u64 address = reinterpret_cast<u64>(base) + offset;
  auto after = regions().upper_bound(address);
  if (offset % 4 != 0 || offset + 4 > window_size || after == regions().begin())
    panic("register access at %p + 0x%x", base, offset);
  const auto& [start, found] = *--after;
  if (address + 4 > start + found.size) panic("register access at %p + 0x%x", base, offset);
  return {found.model, static_cast<u32>(address - start)};
}

}  // namespace

mmio_region::mmio_region(phys_addr address, u32 size, mmio_model& model) : address_(address) {
  regions()[address.value()] = {size, &model};
}

mmio_region::~mmio_region() { regions().erase(address_.value()); }

}  // namespace sim

result<mmio_window> map_mmio(phys_addr address, u32 size) {
  auto after = sim::regions().upper_bound(address.value());
  if (after == sim::regions().begin()) return fail(error::einval);
  const auto& [start, found] = *--after;
  if (address.value() + size > start + found.size) return fail(error::einval);
  return mmio_window(reinterpret_cast<void*>(address.value()), size);
}

u32 mmio_window::read32(u32 offset) const {
  const auto [model, at] = sim::reach(base_, size_, offset);
  return model->read32(at);
}

void mmio_window::write32(u32 offset, u32 value) const {
  const auto [model, at] = sim::reach(base_, size_, offset);
  model->write32(at, value);
}

mmio_window mmio_window::from(u32 offset) const {
  kassert(offset <= size_);
  return mmio_window(static_cast<byte*>(base_) + offset, size_ - offset);
}
