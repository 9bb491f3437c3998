#include "mm/buddy.h"

#include <algorithm>
#include <bit>
#include <new>

#include "hal/memory.h"
#include "hal/panic.h"

namespace {

constexpr u32 order_for(u32 count) { return static_cast<u32>(std::bit_width(count - 1)); }

}  // namespace

void buddy_allocator::init(byte* memory, std::span<page_info> pages) {
  memory_ = memory;
  pages_ = pages;
}

std::optional<u32> buddy_allocator::allocate(u32 count, u32 order_aligned) {
  kassert(count > 0);
  const u32 order = std::max(order_for(count), order_aligned);
  const std::optional<u32> first = take(order);
  if (first) free(*first + count, (1u << order) - count);  // the pages beyond `count`
  return first;
}

void buddy_allocator::free(u32 first, u32 count) {
  while (count > 0) {
    const u32 aligned = static_cast<u32>(std::countr_zero(first));  // of page 0: 32
    const u32 fitting = static_cast<u32>(std::bit_width(count)) - 1;
    const u32 order = std::min({aligned, fitting, max_order});
    free_one(first, order);
    first += 1u << order;
    count -= 1u << order;
  }
}

// Joins the run with its buddy as long as the buddy is free and not split.
void buddy_allocator::free_one(u32 page, u32 order) {
  kassert(!pages_[page].free);
  free_pages_ += 1u << order;
  while (order < max_order) {
    const u32 buddy = page ^ (1u << order);
    if (buddy >= pages_.size() || !pages_[buddy].free || pages_[buddy].order != order) break;
    remove(buddy);
    page &= ~(1u << order);
    ++order;
  }
  insert(page, order);
}

// Takes the smallest run that is large enough and gives back the halves that are not needed.
std::optional<u32> buddy_allocator::take(u32 order) {
  u32 found = order;
  while (found <= max_order && runs_[found].empty()) ++found;
  if (found > max_order) return std::nullopt;
  const u32 page = page_of(*runs_[found].front());
  remove(page);
  for (; found > order; --found) insert(page + (1u << (found - 1)), found - 1);
  free_pages_ -= 1u << order;
  return page;
}

void buddy_allocator::insert(u32 page, u32 order) {
  pages_[page] = {.count = 0, .order = static_cast<u8>(order), .free = true};
  runs_[order].push_front(*new (&run_at(page)) free_run);
}

void buddy_allocator::remove(u32 page) {
  runs_[pages_[page].order].remove(run_at(page));
  pages_[page].free = false;
}

buddy_allocator::free_run& buddy_allocator::run_at(u32 page) const {
  return *reinterpret_cast<free_run*>(memory_ + size_t{page} * PAGE_SIZE);
}

u32 buddy_allocator::page_of(const free_run& run) const {
  return static_cast<u32>(static_cast<uintptr_t>(reinterpret_cast<const byte*>(&run) - memory_) /
                          PAGE_SIZE);
}
