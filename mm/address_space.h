// An address space: what a process sees below KERNEL_BASE. It consists of areas. A page is made at
// the first access to it (do_no_page); a shared page is copied at the first write (do_wp_page).
#pragma once

#include <array>
#include <span>

#include "lib/ids.h"
#include "lib/result.h"
#include "lib/types.h"
#include "mm/area_backing.h"
#include "mm/layout.h"

// A run of pages of the same kind and origin.
struct vm_area {
  u32 start = 0, end = 0;  // page-aligned; end == start: unused
  bool writable = false;
  bool grows_down = false;  // the stack: a fault below `start` extends it
  // Where the pages' content comes from; null: zeros. Fills `page` with what stands at `address`.
  // Sleeps.
  result<void> (*fill)(const vm_area& area, u32 address, std::span<byte> page) = nullptr;
  area_backing backing{};  // for fill: the program's inode
  u32 file_start = 0;      // address that file_offset stands at
  u32 file_offset = 0;
  u32 file_size = 0;  // bytes from the file; zeros behind them
};

class address_space {
 public:
  static result<address_space*> create();  // enomem
  // fork: the same areas, every present page shared read-only until one side writes. enomem.
  result<address_space*> copy_page_tables();
  // Frees all pages and tables and the object. It must not be the active one. Sleeps as
  // free_page_tables does.
  static void destroy(address_space* space);

  // Frees all pages and tables and gives up the areas: the process has no memory from now on.
  // Sleeps only when an area has the last reference to a file.
  void free_page_tables();

  void activate();  // loads cr3
  // Leaves no process's space active: for kernel tasks, and before a space is destroyed.
  static void activate_kernel();

  result<void> add_area(const vm_area& area);  // einval for overlaps or kernel addresses, enomem
  // brk: moves the end of the heap. The first call makes the heap, which begins on a page of its
  // own (exec: behind the program's data). enomem: also in front of the heap.
  result<void> set_break(u32 address);
  u32 program_break() const;

  // How many pages it has; one that it shares counts, too.
  u32 present_pages() const;

  // A page fault at `address` while this space is active. May sleep. Errors: efault (not the
  // process's), enomem, eio (the program could not be read).
  result<void> handle_fault(u32 address, bool write);

  // The book's verify_area: [address, address + length) is the user's, present, and with `write`
  // really writable (copy-on-write is broken now), so that the kernel may touch it without
  // faulting. efault.
  result<void> verify_area(u32 address, u32 length, bool write);

 private:
  explicit address_space(u32* directory) : directory_(directory) {}
  ~address_space() = default;

  // Areas (address_space.cc). The first is the heap, which may be empty.
  vm_area& heap() { return areas_.front(); }
  vm_area* find_area(u32 address);
  bool overlaps(u32 start, u32 end) const;
  void extend_stack(u32 address);

  // Page tables (memory.cc).
  u32* table_entry(u32 address) const;
  result<u32*> make_table_entry(u32 address);
  result<void> do_no_page(const vm_area& area, u32 address);
  result<void> do_wp_page(u32 address, u32& entry);
  result<void> share_pages(u32 table_index, address_space& child);
  void free_pages_between(u32 start, u32 end);

  u32* directory_;  // 1024 entries; the upper half is the kernel's
  std::array<vm_area, 16> areas_{};
  u32 break_ = 0;
};
