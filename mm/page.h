// Physical memory in pages. The kernel sees all of it in a row from KERNEL_BASE on (the direct
// map), so a page is known by the pointer to its bytes. Whole runs come from hal/memory.h; single
// pages of processes, which copy-on-write may share, are counted here, as in the book's mem_map.
#pragma once

#include <span>

#include "hal/memory.h"
#include "lib/types.h"
#include "mm/layout.h"

struct memory_range {
  u64 start, end;
};

// Takes over all usable memory from `first_free` on. Called once; must not be handed memory in use.
void mem_init(std::span<const memory_range> usable, u32 first_free);

// allocate_pages, but the run is also aligned to `alignment` pages, a power of two.
std::span<byte> allocate_aligned_pages(u32 count, u32 alignment);

// A zeroed page with one reference; null when memory is short. Never sleeps.
byte* get_free_page();
// One more reference to a page of get_free_page.
void share_page(byte* page);
// Gives up one reference; the last one frees the page.
void free_page(byte* page);
bool page_is_shared(const byte* page);
