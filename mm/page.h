// Physical memory in pages. The kernel sees all of it in a row from KERNEL_BASE on (the direct
// map), so a page is known by the pointer to its bytes. Whole runs come from hal/memory.h; single
// pages of processes, which copy-on-write may share, are counted here, as in the book's mem_map.
#pragma once

#include <span>

#include "hal/memory.h"
#include "lib/types.h"
#include "mm/address_space.h"

constexpr u32 DIRECT_MAP_SIZE = 0x7800'0000;  // 1920 MiB; memory above it is not used
constexpr u32 MMIO_START = 0xF800'0000;       // windows of device registers
constexpr u32 MMIO_SIZE = 0x0100'0000;

struct memory_range {
  u64 start, end;
};

// Takes over all usable memory from `first_free` on. Called once; must not be handed memory in use.
void mem_init(std::span<const memory_range> usable, u32 first_free);

inline u32 physical_address(const void* memory) {
  return static_cast<u32>(reinterpret_cast<uintptr_t>(memory)) - KERNEL_BASE;
}
inline byte* direct_map(u32 physical) { return reinterpret_cast<byte*>(physical + KERNEL_BASE); }

// allocate_pages, but the run is also aligned to `alignment` pages, a power of two.
std::span<byte> allocate_aligned_pages(u32 count, u32 alignment);

// A zeroed page with one reference; null when memory is short. Never sleeps.
byte* get_free_page();
// One more reference to a page of get_free_page.
void share_page(byte* page);
// Gives up one reference; the last one frees the page.
void free_page(byte* page);
bool page_is_shared(const byte* page);
