// hal/dma.h for the PC: bus addresses are physical addresses, and caches are coherent.
#include "hal/dma.h"

#include <atomic>
#include <bit>
#include <utility>

#include "hal/panic.h"
#include "mm/page.h"

namespace {

static_assert(KERNEL_BASE % DMA_BOUNDARY == 0);

constexpr u32 pages_of(u32 size) { return (size + PAGE_SIZE - 1) / PAGE_SIZE; }

}  // namespace

result<dma_buffer> dma_buffer::allocate(u32 size, u32 alignment) {
  kassert(size > 0 && std::has_single_bit(alignment) && alignment <= DMA_BOUNDARY);
  // A run is aligned to the power of two that holds it (mm/buddy.h), so it crosses no larger one.
  const auto pages = allocate_aligned_pages(pages_of(size), std::bit_ceil(pages_of(alignment)));
  if (pages.empty()) return fail(error::enomem);
  dma_buffer buffer;
  buffer.base_ = pages.data();
  buffer.size_ = size;
  buffer.address_ = dma_address(pages.data());
  return buffer;
}

dma_buffer::dma_buffer(dma_buffer&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      address_(std::exchange(other.address_, {})) {}

dma_buffer& dma_buffer::operator=(dma_buffer&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  std::swap(address_, other.address_);
  return *this;
}

dma_buffer::~dma_buffer() {
  if (base_) free_pages({base_, size_t{pages_of(size_)} * PAGE_SIZE});
}

phys_addr dma_address(const void* kernel_memory) {
  return phys_addr{physical_address(kernel_memory)};
}

// The processor keeps the order of stores and of loads; only the compiler must be held back.
void dma_write_barrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }
void dma_read_barrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }
