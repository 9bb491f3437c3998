// Areas: which memory a process has at which address, and so what a fault at an address means. The
// pages and their tables are in memory.cc, as in the book.
#include "mm/address_space.h"

#include <algorithm>

#include "mm/page_table.h"

namespace {

constexpr bool is_aligned(u32 address) { return address % PAGE_SIZE == 0; }

}  // namespace

result<void> address_space::add_area(const vm_area& area) {
  if (!is_aligned(area.start) || !is_aligned(area.end) || area.start >= area.end ||
      area.end > KERNEL_BASE || overlaps(area.start, area.end))
    return fail(error::einval);
  for (vm_area& free : std::span(areas_).subspan(1)) {
    if (free.start != free.end) continue;
    free = area;
    return {};
  }
  return fail(error::enomem);
}

bool address_space::overlaps(u32 start, u32 end) const {
  return std::ranges::any_of(
      areas_, [&](const vm_area& area) { return area.start < end && start < area.end; });
}

vm_area* address_space::find_area(u32 address) {
  const auto found = std::ranges::find_if(
      areas_, [&](const vm_area& area) { return address >= area.start && address < area.end; });
  return found == areas_.end() ? nullptr : &*found;
}

// Lets the stack grow down to the page of `address`, if it may.
void address_space::extend_stack(u32 address) {
  for (vm_area& area : areas_) {
    if (!area.grows_down || address >= area.start || address < area.end - USER_STACK_MAX) continue;
    if (!overlaps(page_down(address), area.start)) area.start = page_down(address);
    return;
  }
}

result<void> address_space::set_break(u32 address) {
  if (address > USER_STACK_TOP - USER_STACK_MAX) return fail(error::enomem);
  if (heap().start == 0) {
    address = page_up(address);
    heap() = {.start = address, .end = address, .writable = true};
  }
  const u32 end = page_up(address);
  if (address < heap().start) return fail(error::enomem);
  if (overlaps(heap().end, end)) return fail(error::enomem);
  if (end < heap().end) free_pages_between(end, heap().end);
  heap().end = end;
  break_ = address;
  return {};
}

u32 address_space::program_break() const { return break_; }

result<void> address_space::handle_fault(u32 address, bool write) {
  if (!find_area(address)) extend_stack(address);
  vm_area* const area = find_area(address);
  if (!area || (write && !area->writable)) return fail(error::efault);

  u32* entry = table_entry(address);
  if (!entry || !is_present(*entry)) return do_no_page(*area, page_down(address));
  if (write && !is_writable(*entry)) return do_wp_page(address, *entry);
  return {};
}

result<void> address_space::verify_area(u32 address, u32 length, bool write) {
  if (length == 0) return {};
  if (u64{address} + length > KERNEL_BASE) return fail(error::efault);
  const u32 last = page_down(address + length - 1);
  for (u32 page = page_down(address); page <= last; page += PAGE_SIZE) {
    const u32* entry = table_entry(page);  // most pages are there: no area is looked for
    if (!entry || !is_present(*entry) || (write && !is_writable(*entry)))
      TRY(handle_fault(page, write));
  }
  return {};
}
