#include "mm/mmio.h"

#include "hal/mmio.h"
#include "hal/paging.h"
#include "hal/panic.h"
#include "mm/page.h"
#include "mm/page_table.h"

namespace {

constexpr u32 first_entry = MMIO_START / TABLE_SPAN;
constexpr u32 tables = MMIO_SIZE / TABLE_SPAN;

constexpr u32 device_page = page_present | page_writable | page_write_through | page_uncached;

u32 next_page = 0;  // of the range, not yet given to a window

u32* table_entry(u32 page) {
  const u32 table = kernel_page_directory[first_entry + page / ENTRIES_PER_TABLE];
  return table_in(table) + page % ENTRIES_PER_TABLE;
}

}  // namespace

void mmio_init() {
  for (u32 i = 0; i < tables; ++i) {
    byte* table = get_free_page();
    if (!table) panic("no memory for the page tables of device registers");
    kernel_page_directory[first_entry + i] = physical_address(table) | page_present | page_writable;
  }
}

result<mmio_window> map_mmio(phys_addr address, u32 size) {
  if (size == 0 || address.value() + size > u64{1} << 32) return fail(error::einval);
  const u32 start = static_cast<u32>(address.value());
  const u32 offset = start % PAGE_SIZE;
  const u64 pages = (u64{offset} + size + PAGE_SIZE - 1) / PAGE_SIZE;
  if (pages > tables * ENTRIES_PER_TABLE - next_page) return fail(error::enomem);

  const u32 first = next_page;
  next_page += static_cast<u32>(pages);
  for (u32 i = 0; i < pages; ++i)
    *table_entry(first + i) = (start - offset + i * PAGE_SIZE) | device_page;
  return mmio_window(reinterpret_cast<void*>(MMIO_START + first * PAGE_SIZE + offset), size);
}

u32 mmio_window::read32(u32 offset) const {
  kassert(offset % 4 == 0 && offset + 4 <= size_);
  return *reinterpret_cast<const volatile u32*>(static_cast<const byte*>(base_) + offset);
}

void mmio_window::write32(u32 offset, u32 value) const {
  kassert(offset % 4 == 0 && offset + 4 <= size_);
  *reinterpret_cast<volatile u32*>(static_cast<byte*>(base_) + offset) = value;
}

mmio_window mmio_window::from(u32 offset) const {
  kassert(offset <= size_);
  return {static_cast<byte*>(base_) + offset, size_ - offset};
}
