// The pages of the kernel stacks and of the kernel image: see kernel_map.h, hal/kernel_stack.h.
#include "kernel/i386/kernel_map.h"

#include <utility>

#include "hal/kernel_stack.h"
#include "hal/memory.h"
#include "hal/paging.h"
#include "hal/panic.h"
#include "mm/page.h"
#include "mm/page_table.h"

extern "C" {
extern byte kernel_start[], constants_end[];  // linker.ld
extern byte boot_stack[];                     // head.asm: an unused page lies below it
}

namespace {

constexpr u32 PLACE_PAGES = 1 + KERNEL_STACK_SIZE / PAGE_SIZE;  // the guard page is the lowest
static_assert(KERNEL_STACK_PLACES * PLACE_PAGES <= ENTRIES_PER_TABLE, "one table maps all places");

constexpr u32 flags = page_present | page_writable;
constexpr u32 page_of_4_mib = 1 << 7;  // in an entry of a directory (Intel SDM volume 3, 4.3)

u32& directory_entry(u32 address) { return kernel_page_directory[address / TABLE_SPAN]; }

// The entry of the page at `address`, which has a table.
u32& table_entry(u32 address) {
  return table_in(directory_entry(address))[address / PAGE_SIZE % ENTRIES_PER_TABLE];
}

byte* page_for_table() {
  byte* const page = get_free_page();
  if (!page) panic("no memory for the kernel's page tables");
  return page;
}

// A table in place of the page of 4 MiB at `address`, which maps the same.
void split(u32 address) {
  u32& entry = directory_entry(address);
  if (!(entry & page_of_4_mib)) return;
  auto* const table = reinterpret_cast<u32*>(page_for_table());
  const u32 first = entry & ~(TABLE_SPAN - 1);
  for (u32 i = 0; i < ENTRIES_PER_TABLE; ++i) table[i] = (first + i * PAGE_SIZE) | flags;
  entry = physical_address(table) | flags;
}

u32& page_of_kernel(u32 address) {
  split(address);
  return table_entry(address);
}

}  // namespace

void kernel_map_init() {
  for (u32 at = virtual_address(kernel_start); at < virtual_address(constants_end); at += PAGE_SIZE)
    page_of_kernel(at) &= ~page_writable;
  page_of_kernel(virtual_address(boot_stack) - PAGE_SIZE) = 0;
  directory_entry(KERNEL_STACKS_START) = physical_address(page_for_table()) | flags;
  load_page_directory(physical_address(kernel_page_directory));
}

bool is_in_guard_page(u32 address) {
  const u32 below_boot_stack = virtual_address(boot_stack) - PAGE_SIZE;
  if (address >= below_boot_stack && address < below_boot_stack + PAGE_SIZE) return true;
  const u32 page = (address - KERNEL_STACKS_START) / PAGE_SIZE;
  return address >= KERNEL_STACKS_START && page < KERNEL_STACK_PLACES * PLACE_PAGES &&
         page % PLACE_PAGES == 0;
}

std::span<byte> allocate_kernel_stack(u32 number) {
  const u32 start = KERNEL_STACKS_START + (number * PLACE_PAGES + 1) * PAGE_SIZE;
  const std::span<byte> stack(reinterpret_cast<byte*>(start), KERNEL_STACK_SIZE);
  for (u32 at = start; at < start + KERNEL_STACK_SIZE; at += PAGE_SIZE) {
    // Zeroed: in a page where code has run once, as the firmware's at the end of memory, QEMU takes
    // every write for a change of that code until the page has been written as a whole.
    const std::span<byte> page = allocate_pages(1);
    if (page.empty()) {
      free_kernel_stack(stack);
      return {};
    }
    table_entry(at) = physical_address(page.data()) | flags;
  }
  return stack;
}

void free_kernel_stack(std::span<byte> stack) {
  const u32 start = virtual_address(stack.data());
  for (u32 at = start; at < start + KERNEL_STACK_SIZE; at += PAGE_SIZE) {
    const u32 page = std::exchange(table_entry(at), 0);
    if (!is_present(page)) continue;
    flush_translation(at);
    free_pages({page_in(page), PAGE_SIZE});
  }
}
