// The buddy system: runs of 2^n pages, aligned to their size, which split in halves and grow
// together again with their other half, the buddy (Knuth, The Art of Computer Programming, 2.5).
//
// The list links of a free run stand in its own first bytes; the page_info of every page stands
// outside.
// Page numbers count from the memory's start, which is aligned to the largest run.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "lib/intrusive_list.h"
#include "lib/types.h"

struct page_info {
  u16 count = 0;      // references, kept by the pages' users
  u8 order = 0;       // of the free run that begins here
  bool free = false;  // a free run begins here
};

class buddy_allocator {
 public:
  static constexpr u32 max_order = 18;

  // `pages` has an entry for every page from `memory` on; all are in use until freed.
  void init(byte* memory, std::span<page_info> pages);

  // The number of the first of `count` contiguous pages. The run is aligned to the power of two
  // that holds it, and to 2^order_aligned pages.
  std::optional<u32> allocate(u32 count, u32 order_aligned = 0);
  // Gives back `count` pages: any part of a run that allocate has returned.
  void free(u32 first, u32 count);

  u32 free_pages() const { return free_pages_; }

 private:
  struct free_run {
    list_link<free_run> link;
  };

  free_run& run_at(u32 page) const;
  u32 page_of(const free_run& run) const;
  void insert(u32 page, u32 order);
  void remove(u32 page);
  void free_one(u32 page, u32 order);
  std::optional<u32> take(u32 order);

  byte* memory_ = nullptr;
  std::span<page_info> pages_;
  std::array<intrusive_list<free_run, &free_run::link>, max_order + 1> runs_;
  u32 free_pages_ = 0;
};
