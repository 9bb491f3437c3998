// The host's hal/memory.h and hal/dma.h.
#include "tests/sim/memory.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "hal/dma.h"
#include "hal/memory.h"
#include "hal/panic.h"
#include "tests/sim/world_state.h"

namespace sim {
namespace {

constexpr size_t arena_size = size_t{1} << 30;
// The bus address of the arena. It is above 4 GiB, so a truncated address is noticed.
constexpr u64 bus_base = 0x1'4000'0000;
static_assert(bus_base % DMA_BOUNDARY == 0);

// A reserved piece of address space, which all worlds use one after another. It begins at a
// multiple of DMA_BOUNDARY, as the bus addresses do.
byte* arena() {
  static byte* const base = [] {
    void* memory = mmap(nullptr, arena_size + DMA_BOUNDARY, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    const auto start = reinterpret_cast<uintptr_t>(memory);
    return static_cast<byte*>(memory) + (DMA_BOUNDARY - start % DMA_BOUNDARY) % DMA_BOUNDARY;
  }();
  return base;
}

constexpr size_t whole_pages(size_t size) { return (size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE; }
u32 count_pages(size_t size) { return static_cast<u32>(whole_pages(size) / PAGE_SIZE); }

size_t aligned(size_t offset, size_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

}  // namespace

physical_memory::physical_memory(u32 pages) : pages_(pages) {}

physical_memory::~physical_memory() {
  for (const auto& [offset, given] : pieces_)
    ASAN_POISON_MEMORY_REGION(arena() + offset, whole_pages(given.size));
}

std::span<byte> physical_memory::allocate(size_t size, size_t alignment) {
  ++asked_;
  if (asked_ >= first_refused_ && asked_ <= last_refused_) {
    ++refused_;
    return {};
  }
  if (size == 0 || count_pages(size) > pages_free()) return {};
  // The first hole that is large enough. The arena is far larger than the memory, so there is one.
  size_t offset = 0;
  for (const auto& [start, given] : pieces_) {
    if (offset + whole_pages(size) + PAGE_SIZE <= start) break;
    offset = aligned(start + whole_pages(given.size) + PAGE_SIZE, alignment);
  }
  if (offset + whole_pages(size) + PAGE_SIZE > arena_size) return {};
  pieces_[offset] = {size, ++owners_, keeping_ > 0};
  used_ += count_pages(size);
  byte* base = arena() + offset;
  ASAN_UNPOISON_MEMORY_REGION(base, whole_pages(size));
  std::memset(base, 0, size);
  ASAN_POISON_MEMORY_REGION(base + size, whole_pages(size) + PAGE_SIZE - size);
  return {base, size};
}

void physical_memory::free(std::span<byte> piece) {
  const auto found = pieces_.find(static_cast<size_t>(piece.data() - arena()));
  if (found == pieces_.end() || found->second.size != piece.size())
    panic("memory given back that was not given out so");
  used_ -= count_pages(piece.size());
  ASAN_POISON_MEMORY_REGION(piece.data(), whole_pages(piece.size()));
  pieces_.erase(found);
}

std::vector<std::string> physical_memory::not_given_back() const {
  std::vector<std::string> pieces;
  for (const auto& [offset, given] : pieces_)
    if (!given.kept)
      pieces.push_back("memory: " + std::to_string(given.size) + " bytes, allocation " +
                       std::to_string(given.owner));
  return pieces;
}

phys_addr physical_memory::address_of(const void* at) const {
  const auto offset = static_cast<size_t>(static_cast<const byte*>(at) - arena());
  auto after = pieces_.upper_bound(offset);
  if (after == pieces_.begin()) panic("no bus address for memory that is nobody's");
  const auto& [start, given] = *--after;
  if (offset >= start + given.size) panic("no bus address for memory that is nobody's");
  return phys_addr{bus_base + offset};
}

byte* physical_memory::at(phys_addr address, u32 length) const {
  const u64 offset = address.value() - bus_base;
  auto after = pieces_.upper_bound(offset);
  if (address.value() < bus_base || after == pieces_.begin()) return nullptr;
  const auto& [start, given] = *--after;
  return offset + length <= start + given.size ? arena() + offset : nullptr;
}

u64 physical_memory::owner_of(phys_addr address, u32 length) const {
  if (!at(address, length)) return 0;
  return std::prev(pieces_.upper_bound(address.value() - bus_base))->second.owner;
}

physical_memory& memory() { return state_here().memory; }

}  // namespace sim

// --- hal/memory.h ---

std::span<byte> allocate_pages(u32 count) {
  return sim::memory().allocate(size_t{count} * PAGE_SIZE, PAGE_SIZE);
}

std::span<byte> allocate_unset_pages(u32 count) {
  const std::span<byte> pages = allocate_pages(count);
  // Pages that are not zeroed contain a pattern which does not look like data.
  if (!pages.empty()) std::memset(pages.data(), 0xA5, pages.size());
  return pages;
}

void free_pages(std::span<byte> pages) {
  if (!pages.empty()) sim::memory().free(pages);
}

u32 free_page_count() { return sim::memory().pages_free(); }
u32 total_page_count() { return sim::memory().pages(); }

// --- hal/dma.h ---

result<dma_buffer> dma_buffer::allocate(u32 size, u32 alignment) {
  if (size > DMA_BOUNDARY && alignment < PAGE_SIZE) alignment = PAGE_SIZE;
  // At a multiple of its size, rounded up to a power of two, a piece crosses no boundary.
  u32 stand = PAGE_SIZE;
  while (stand < DMA_BOUNDARY && (stand < size || stand < alignment)) stand *= 2;
  const std::span<byte> piece = sim::memory().allocate(size, stand);
  if (piece.empty()) return fail(error::enomem);
  dma_buffer buffer;
  buffer.base_ = piece.data();
  buffer.size_ = size;
  buffer.address_ = sim::memory().address_of(piece.data());
  return buffer;
}

dma_buffer::dma_buffer(dma_buffer&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), size_(other.size_), address_(other.address_) {}

dma_buffer& dma_buffer::operator=(dma_buffer&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  std::swap(address_, other.address_);
  return *this;
}

// A buffer in a variable of the product may outlive its world. Then there is nothing to give back.
dma_buffer::~dma_buffer() {
  if (base_ && sim::inside_world()) sim::memory().free(bytes());
}

phys_addr dma_address(const void* kernel_memory) { return sim::memory().address_of(kernel_memory); }

void dma_write_barrier() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
void dma_read_barrier() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
