// The i386's page tables: entries of directories and tables (Intel SDM volume 3, 4.3).
#pragma once

#include "hal/memory.h"
#include "lib/types.h"
#include "mm/layout.h"

constexpr u32 ENTRIES_PER_TABLE = 1024;
constexpr u32 TABLE_SPAN = ENTRIES_PER_TABLE * PAGE_SIZE;  // what one table maps

constexpr u32 page_present = 1 << 0, page_writable = 1 << 1, page_user = 1 << 2,
              page_write_through = 1 << 3, page_uncached = 1 << 4;

constexpr bool is_present(u32 entry) { return (entry & page_present) != 0; }
constexpr bool is_writable(u32 entry) { return (entry & page_writable) != 0; }
// The page, or the table, that an entry points to.
inline byte* page_in(u32 entry) { return direct_map(entry & ~(PAGE_SIZE - 1)); }
inline u32* table_in(u32 entry) { return reinterpret_cast<u32*>(page_in(entry)); }
