// The machine's pages: their use counts (mem_map), and the free ones (the buddy system).
#include "mm/page.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "hal/paging.h"
#include "hal/panic.h"
#include "mm/buddy.h"
#include "mm/page_table.h"

namespace {

buddy_allocator allocator;
std::span<page_info> mem_map;  // the book's, one entry for each page
u32 pages_in_all = 0;

u32 page_number(const void* memory) { return physical_address(memory) / PAGE_SIZE; }

// The highest address of usable memory that the direct map shows.
u32 end_of_memory(std::span<const memory_range> usable) {
  u64 end = 0;
  for (const memory_range& range : usable)
    if (range.start < DIRECT_MAP_SIZE) end = std::max(end, range.end);
  return static_cast<u32>(std::min<u64>(end, DIRECT_MAP_SIZE));
}

constexpr u64 pages_up(u64 address) { return (address + PAGE_SIZE - 1) / PAGE_SIZE; }

// head.asm has mapped the whole range. Where there is no memory, a wrong pointer must fault.
void unmap_beyond(u32 end) {
  for (u32 at = (end + TABLE_SPAN - 1) / TABLE_SPAN; at < DIRECT_MAP_SIZE / TABLE_SPAN; ++at)
    kernel_page_directory[KERNEL_BASE / TABLE_SPAN + at] = 0;
  load_page_directory(physical_address(kernel_page_directory));
}

std::span<byte> take_pages(u32 count, u32 alignment) {
  const auto first = allocator.allocate(count, static_cast<u32>(std::countr_zero(alignment)));
  if (!first) return {};
  mem_map[*first].count = 1;
  return {direct_map(*first * PAGE_SIZE), size_t{count} * PAGE_SIZE};
}

}  // namespace

void mem_init(std::span<const memory_range> usable, u32 first_free) {
  const u32 pages = end_of_memory(usable) / PAGE_SIZE;
  auto* map = new (direct_map(static_cast<u32>(pages_up(first_free)) * PAGE_SIZE)) page_info[pages];
  mem_map = {map, pages};
  allocator.init(direct_map(0), mem_map);

  const u64 first = pages_up(physical_address(map + pages));
  for (const memory_range& range : usable) {
    const u64 start = std::max(first, pages_up(range.start));
    const u64 end = std::min<u64>(range.end / PAGE_SIZE, pages);
    if (start < end) allocator.free(static_cast<u32>(start), static_cast<u32>(end - start));
  }
  pages_in_all = allocator.free_pages();
  unmap_beyond(pages * PAGE_SIZE);
}

std::span<byte> allocate_pages(u32 count) { return allocate_aligned_pages(count, 1); }

std::span<byte> allocate_aligned_pages(u32 count, u32 alignment) {
  const std::span<byte> pages = take_pages(count, alignment);
  if (!pages.empty()) std::memset(pages.data(), 0, pages.size());
  return pages;
}

std::span<byte> allocate_unset_pages(u32 count) { return take_pages(count, 1); }

void free_pages(std::span<byte> pages) {
  if (pages.empty()) return;
  const u32 first = page_number(pages.data());
  kassert(mem_map[first].count == 1);
  mem_map[first].count = 0;
  allocator.free(first, static_cast<u32>(pages.size() / PAGE_SIZE));
}

u32 free_page_count() { return allocator.free_pages(); }
u32 total_page_count() { return pages_in_all; }

byte* get_free_page() {
  const auto page = allocate_pages(1);
  return page.empty() ? nullptr : page.data();
}

void share_page(byte* page) {
  kassert(mem_map[page_number(page)].count > 0);
  ++mem_map[page_number(page)].count;
}

void free_page(byte* page) {
  page_info& info = mem_map[page_number(page)];
  kassert(info.count > 0);
  if (info.count > 1)
    --info.count;
  else
    free_pages({page, PAGE_SIZE});
}

bool page_is_shared(const byte* page) { return mem_map[page_number(page)].count > 1; }
