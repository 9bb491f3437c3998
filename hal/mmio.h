// Memory-mapped registers, always by aligned 32-bit accesses: xHCI controllers (and QEMU) answer
// byte and word reads of their registers with 0.
#pragma once

#include "lib/ids.h"
#include "lib/result.h"
#include "lib/types.h"

// A mapped window of registers. It can be copied freely; it stays mapped for ever.
class mmio_window {
 public:
  constexpr mmio_window() = default;
  constexpr mmio_window(void* base, u32 size) : base_(base), size_(size) {}

  u32 read32(u32 offset) const;
  void write32(u32 offset, u32 value) const;
  // A 64-bit register as two halves, low first (xHCI 1.2, 5.1).
  void write64(u32 offset, u64 value) const {
    write32(offset, static_cast<u32>(value));
    write32(offset + 4, static_cast<u32>(value >> 32));
  }
  u32 size() const { return size_; }
  // The part from `offset` on.
  mmio_window from(u32 offset) const;

 private:
  void* base_ = nullptr;
  u32 size_ = 0;
};

// Maps `size` bytes of device registers, uncached. Errors: enomem, einval for an address out of
// reach.
result<mmio_window> map_mmio(phys_addr address, u32 size);
