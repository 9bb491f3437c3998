// Whole pages of kernel memory, for caches, regions and stacks. Not for interrupt handlers.
#pragma once

#include <span>

#include "lib/types.h"

constexpr u32 PAGE_SIZE = 4096;
// The page boundary at or below an address, and the one at or above it.
constexpr u32 page_down(u32 address) { return address & ~(PAGE_SIZE - 1); }
constexpr u32 page_up(u32 address) { return page_down(address + PAGE_SIZE - 1); }

// `count` contiguous, zeroed pages, or an empty span when memory is short. Never sleeps.
std::span<byte> allocate_pages(u32 count);
// The same without the zeroing, which takes long for much memory: the caller must write these pages
// before it reads them.
std::span<byte> allocate_unset_pages(u32 count);
// Gives back all the pages that one of these calls has returned.
void free_pages(std::span<byte> pages);

// Pages not in use now, and all there are.
u32 free_page_count();
u32 total_page_count();
