// Memory that a device reads and writes by itself.
#pragma once

#include <span>

#include "lib/ids.h"
#include "lib/result.h"
#include "lib/types.h"

// Descriptors of transfers describe memory up to a multiple of this and no further
// (xHCI 1.2, 6.4.1).
constexpr u32 DMA_BOUNDARY = 64 * 1024;

// A piece of physically contiguous memory as the device sees it.
struct dma_segment {
  phys_addr address;
  u32 length = 0;
};

// Physically contiguous, zeroed memory for rings, contexts and small buffers; frees itself.
class [[nodiscard]] dma_buffer {
 public:
  dma_buffer() = default;
  dma_buffer(dma_buffer&& other) noexcept;
  dma_buffer& operator=(dma_buffer&& other) noexcept;
  ~dma_buffer();

  // `size` bytes aligned to `alignment` (a power of two up to DMA_BOUNDARY); never crosses a
  // multiple of that when size is at most as large. Never sleeps. Errors: enomem.
  static result<dma_buffer> allocate(u32 size, u32 alignment);

  std::span<byte> bytes() const { return {base_, size_}; }
  template <class T>
  T* as(u32 offset = 0) const {
    return reinterpret_cast<T*>(base_ + offset);
  }
  phys_addr address() const { return address_; }
  explicit operator bool() const { return base_ != nullptr; }

 private:
  byte* base_ = nullptr;
  u32 size_ = 0;
  phys_addr address_{};
};

// The bus address of kernel memory that dma_buffer or allocate_pages gave out, valid until the end
// of its page; kernel memory is contiguous, so adjacent pages of one allocation have adjacent
// addresses. Both addresses stand equally far behind a multiple of DMA_BOUNDARY.
phys_addr dma_address(const void* kernel_memory);

// Everything written to memory before is visible to the device before anything written after.
void dma_write_barrier();
// Everything read from memory after is at least as new as what was read before.
void dma_read_barrier();
