// The pages of processes: given when they are touched (do_no_page), shared by fork
// (copy_page_tables), copied when a sharer writes (do_wp_page). The book's mm/memory.c.
//
// A page of a writable area that is mapped read-only is or was shared: the page's count tells
// do_wp_page which. Every present page of the lower half holds one count.
#include <algorithm>
#include <cstring>
#include <new>

#include "hal/paging.h"
#include "hal/panic.h"
#include "mm/address_space.h"
#include "mm/page.h"
#include "mm/page_table.h"

namespace {

constexpr u32 user_tables = KERNEL_BASE / TABLE_SPAN;
constexpr u32 user_table_flags = page_present | page_writable | page_user;

u32* active_directory = kernel_page_directory;

void activate_directory(u32* directory) {
  if (directory == active_directory) return;
  active_directory = directory;
  load_page_directory(physical_address(directory));
}

}  // namespace

result<address_space*> address_space::create() {
  static_assert(sizeof(address_space) <= PAGE_SIZE);
  byte* object = get_free_page();
  byte* page = object ? get_free_page() : nullptr;
  if (!page) {
    if (object) free_page(object);
    return fail(error::enomem);
  }
  auto* directory = reinterpret_cast<u32*>(page);
  std::memcpy(directory + user_tables, kernel_page_directory + user_tables,
              (ENTRIES_PER_TABLE - user_tables) * sizeof(u32));
  return new (object) address_space(directory);
}

void address_space::destroy(address_space* space) {
  kassert(space->directory_ != active_directory);
  space->free_page_tables();
  free_page(reinterpret_cast<byte*>(space->directory_));
  space->~address_space();
  free_page(reinterpret_cast<byte*>(space));
}

void address_space::activate() { activate_directory(directory_); }
void address_space::activate_kernel() { activate_directory(kernel_page_directory); }

// The entry of the page at `address`; null when it has no table.
u32* address_space::table_entry(u32 address) const {
  const u32 table = directory_[address / TABLE_SPAN];
  return is_present(table) ? table_in(table) + address / PAGE_SIZE % ENTRIES_PER_TABLE : nullptr;
}

result<u32*> address_space::make_table_entry(u32 address) {
  if (u32* entry = table_entry(address)) return entry;
  const byte* table = get_free_page();
  if (!table) return fail(error::enomem);
  directory_[address / TABLE_SPAN] = physical_address(table) | user_table_flags;
  return table_entry(address);
}

u32 address_space::present_pages() const {
  u32 count = 0;
  for (u32 i = 0; i < user_tables; ++i) {
    if (!is_present(directory_[i])) continue;
    const u32* table = table_in(directory_[i]);
    count += static_cast<u32>(std::count_if(table, table + ENTRIES_PER_TABLE, is_present));
  }
  return count;
}

result<void> address_space::do_no_page(const vm_area& area, u32 address) {
  u32& entry = *TRY(make_table_entry(address));
  byte* page = get_free_page();
  if (!page) return fail(error::enomem);
  if (area.fill) {
    const result<void> filled = area.fill(area, address, {page, PAGE_SIZE});
    if (!filled) {
      free_page(page);
      return filled;
    }
  }
  entry = physical_address(page) | page_present | page_user | (area.writable ? page_writable : 0);
  return {};
}

result<void> address_space::do_wp_page(u32 address, u32& entry) {
  byte* shared = page_in(entry);
  if (page_is_shared(shared)) {
    byte* own = get_free_page();
    if (!own) return fail(error::enomem);
    std::memcpy(own, shared, PAGE_SIZE);
    free_page(shared);
    entry = physical_address(own) | page_present | page_user;
  }
  entry |= page_writable;
  flush_translation(address);
  return {};
}

result<address_space*> address_space::copy_page_tables() {
  address_space* child = TRY(create());
  child->areas_ = areas_;
  child->break_ = break_;
  result<void> shared{};
  for (u32 i = 0; shared && i < user_tables; ++i)
    if (is_present(directory_[i])) shared = share_pages(i, *child);
  // Our own pages are read-only now, also when the last table could not be made.
  load_page_directory(physical_address(active_directory));
  if (shared) return child;
  destroy(child);
  return fail(shared.error());
}

result<void> address_space::share_pages(u32 table_index, address_space& child) {
  byte* copy = get_free_page();
  if (!copy) return fail(error::enomem);
  child.directory_[table_index] = physical_address(copy) | user_table_flags;
  u32* ours = table_in(directory_[table_index]);
  auto* theirs = reinterpret_cast<u32*>(copy);
  for (u32 i = 0; i < ENTRIES_PER_TABLE; ++i) {
    if (!is_present(ours[i])) continue;
    ours[i] &= ~page_writable;
    theirs[i] = ours[i];
    share_page(page_in(ours[i]));
  }
  return {};
}

void address_space::free_pages_between(u32 start, u32 end) {
  for (u32 address = start; address < end; address += PAGE_SIZE) {
    u32* entry = table_entry(address);
    if (!entry || !is_present(*entry)) continue;
    free_page(page_in(*entry));
    *entry = 0;
    flush_translation(address);
  }
}

void address_space::free_page_tables() {
  for (u32 i = 0; i < user_tables; ++i) {
    if (!is_present(directory_[i])) continue;
    for (const u32 entry : std::span(table_in(directory_[i]), ENTRIES_PER_TABLE))
      if (is_present(entry)) free_page(page_in(entry));
    free_page(page_in(directory_[i]));
    directory_[i] = 0;
  }
  if (directory_ == active_directory) load_page_directory(physical_address(directory_));
  areas_ = {};
}
