// Address spaces: areas, faults, sharing after fork, and that each page is given back once.
#include <gtest/gtest.h>

#include <cstring>

#include "hal/paging.h"
#include "hal/panic.h"
#include "mm/address_space.h"
#include "mm/page.h"
#include "mm/page_table.h"
#include "tests/pc/machine.h"
#include "tests/pc/mmu.h"

namespace {

constexpr u32 AREA = 0x0040'0000;  // the first page of a table
constexpr u32 TWO_TABLES = 0x0080'0000;

u8& at(u32 address) { return *reinterpret_cast<u8*>(address); }

// An address space with one writable area of 16 pages whose middle is the border of two tables, and
// a test that all pages come back when it is destroyed.
class space {
 public:
  space() : free_before_(free_page_count()), space_(*address_space::create()) {
    EXPECT_TRUE(space_->add_area({.start = FIRST, .end = END, .writable = true}));
    space_->activate();
  }
  ~space() {
    address_space::activate_kernel();
    address_space::destroy(space_);
    EXPECT_EQ(free_page_count(), free_before_) << "pages are left behind";
  }
  space(const space&) = delete;
  space& operator=(const space&) = delete;
  address_space* operator->() const { return space_; }

  static constexpr u32 FIRST = TWO_TABLES - 8 * PAGE_SIZE, END = TWO_TABLES + 8 * PAGE_SIZE;

 private:
  u32 free_before_;
  address_space* space_;
};

void bare(const std::function<void()>& body, u32 pages = 512) {
  pc::machine machine({.pages = pages});
  machine.run_bare(body);
}

void drop(address_space* child) { address_space::destroy(child); }

TEST(memory, a_page_is_made_at_the_first_access_and_holds_zeros) {
  bare([] {
    const space s;
    const u32 before = free_page_count();
    EXPECT_FALSE(pc::mmu::use(space::FIRST, false));
    ASSERT_TRUE(s->handle_fault(space::FIRST + 5, false));
    EXPECT_EQ(free_page_count(), before - 2) << "a page and its table";
    ASSERT_TRUE(pc::mmu::use(space::FIRST, true));
    for (u32 i = 0; i < PAGE_SIZE; ++i) EXPECT_EQ(at(space::FIRST + i), 0);
    ASSERT_TRUE(s->handle_fault(space::FIRST + PAGE_SIZE - 1, true));
    EXPECT_EQ(free_page_count(), before - 2) << "the page was made twice";
  });
}

TEST(memory, an_access_outside_of_the_areas_is_a_fault) {
  bare([] {
    const space s;
    for (const u32 address : {0u, space::FIRST - 1, space::END, KERNEL_BASE - 1, KERNEL_BASE})
      EXPECT_EQ(s->handle_fault(address, false), fail(error::efault)) << std::hex << address;
    EXPECT_TRUE(s->handle_fault(space::FIRST, false));
    EXPECT_TRUE(s->handle_fault(space::END - 1, false));
  });
}

TEST(memory, a_read_only_area_is_not_written) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->add_area({.start = AREA, .end = AREA + PAGE_SIZE, .writable = false}));
    EXPECT_EQ(s->handle_fault(AREA, true), fail(error::efault));
    ASSERT_TRUE(s->handle_fault(AREA, false));
    EXPECT_FALSE(pc::mmu::use(AREA, true));
    EXPECT_EQ(s->handle_fault(AREA, true), fail(error::efault));
    EXPECT_EQ(s->verify_area(AREA, 1, true), fail(error::efault));
    EXPECT_TRUE(s->verify_area(AREA, 1, false));
  });
}

TEST(memory, areas_do_not_overlap_and_stand_below_the_kernel) {
  bare([] {
    const space s;
    const auto add = [&](u32 start, u32 end) { return s->add_area({.start = start, .end = end}); };
    EXPECT_TRUE(add(space::FIRST - PAGE_SIZE, space::FIRST));
    EXPECT_TRUE(add(space::END, space::END + PAGE_SIZE));
    EXPECT_EQ(add(space::END - PAGE_SIZE, space::END), fail(error::einval));
    EXPECT_EQ(add(space::FIRST, space::FIRST + PAGE_SIZE), fail(error::einval));
    EXPECT_EQ(add(AREA, 2 * TWO_TABLES), fail(error::einval));
    EXPECT_EQ(add(AREA, AREA), fail(error::einval));
    EXPECT_EQ(add(AREA + 1, AREA + PAGE_SIZE), fail(error::einval));
    EXPECT_EQ(add(AREA, AREA + PAGE_SIZE + 1), fail(error::einval));
    EXPECT_TRUE(add(KERNEL_BASE - PAGE_SIZE, KERNEL_BASE));
    EXPECT_EQ(add(KERNEL_BASE - 2 * PAGE_SIZE, KERNEL_BASE + PAGE_SIZE), fail(error::einval));
  });
}

TEST(memory, sixteen_areas_and_no_more) {
  bare([] {
    const space s;  // with the heap it has two
    u32 start = AREA;
    for (int i = 0; i < 14; ++i, start += PAGE_SIZE)
      EXPECT_TRUE(s->add_area({.start = start, .end = start + PAGE_SIZE})) << i;
    EXPECT_EQ(s->add_area({.start = start, .end = start + PAGE_SIZE}), fail(error::enomem));
  });
}

// --- the pages' content ---

// The references that areas have to what their pages come from.
int references = 0;
constexpr backing_kind COUNTED = {.hold = [](void*) { ++references; },
                                  .drop = [](void*) { --references; }};
area_backing counted(void* object) {
  ++references;
  return {object, COUNTED};
}

result<void> fill_with_sevens(const vm_area& area, u32 address, std::span<byte> page) {
  EXPECT_EQ(address % PAGE_SIZE, 0u);
  EXPECT_EQ(page.size(), PAGE_SIZE);
  *static_cast<u32*>(area.backing.get()) = address;
  std::memset(page.data(), 7, page.size());
  return {};
}

result<void> fail_to_fill(const vm_area&, u32, std::span<byte>) { return fail(error::eio); }

TEST(memory, an_area_fills_its_pages) {
  bare([] {
    const space s;
    u32 filled = 0;
    ASSERT_TRUE(s->add_area({.start = AREA,
                             .end = AREA + 2 * PAGE_SIZE,
                             .fill = fill_with_sevens,
                             .backing = counted(&filled)}));
    ASSERT_TRUE(s->handle_fault(AREA + PAGE_SIZE + 9, false));
    EXPECT_EQ(filled, AREA + PAGE_SIZE);
    ASSERT_TRUE(pc::mmu::use(AREA + PAGE_SIZE, false));
    EXPECT_EQ(at(AREA + 2 * PAGE_SIZE - 1), 7);
  });
}

TEST(memory, each_area_has_a_reference_to_its_backing) {
  bare([] {
    references = 0;
    u32 filled = 0;
    {
      const space s;
      for (const u32 start : {AREA, AREA + PAGE_SIZE})
        ASSERT_TRUE(s->add_area({.start = start,
                                 .end = start + PAGE_SIZE,
                                 .fill = fill_with_sevens,
                                 .backing = counted(&filled)}));
      EXPECT_EQ(references, 2);
      address_space* const child = *s->copy_page_tables();
      EXPECT_EQ(references, 4);
      pc::leave_free_pages(1);
      EXPECT_EQ(s->copy_page_tables(), fail(error::enomem));
      pc::release_memory();
      EXPECT_EQ(references, 4);
      child->free_page_tables();
      EXPECT_EQ(references, 2) << "it has no areas any more";
      drop(child);
    }
    EXPECT_EQ(references, 0);
  });
}

TEST(memory, a_page_that_cannot_be_filled_is_given_back) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->add_area({.start = AREA, .end = AREA + PAGE_SIZE, .fill = fail_to_fill}));
    EXPECT_EQ(s->handle_fault(AREA, false), fail(error::eio));
    const u32 with_table = free_page_count();
    EXPECT_EQ(s->handle_fault(AREA, false), fail(error::eio));
    EXPECT_EQ(free_page_count(), with_table);
    EXPECT_FALSE(pc::mmu::use(AREA, false));
  });
}

// --- fork ---

TEST(memory, a_child_shares_every_page_and_a_write_of_either_side_copies_one) {
  for (const bool child_writes : {false, true}) {
    bare([&] {
      const space s;
      const std::array<u32, 3> pages = {space::FIRST, TWO_TABLES, space::END - PAGE_SIZE};
      for (const u32 page : pages) {
        ASSERT_TRUE(s->verify_area(page, 1, true));
        ASSERT_TRUE(pc::mmu::use(page, true));
      }
      at(TWO_TABLES) = 1;
      const u32 before = free_page_count();
      address_space* const child = *s->copy_page_tables();
      EXPECT_EQ(free_page_count(), before - 4) << "the object, the directory, two tables";
      EXPECT_FALSE(pc::mmu::use(TWO_TABLES, true)) << "the father's own pages are read-only now";

      if (child_writes) child->activate();
      address_space* const writer = child_writes ? child : s.operator->();
      ASSERT_TRUE(writer->handle_fault(TWO_TABLES, true));
      EXPECT_EQ(free_page_count(), before - 5) << "one page was copied";
      ASSERT_TRUE(pc::mmu::use(TWO_TABLES, true));
      EXPECT_EQ(at(TWO_TABLES), 1) << "the copy has the content";
      at(TWO_TABLES) = 2;
      child_writes ? s->activate() : child->activate();
      ASSERT_TRUE(pc::mmu::use(TWO_TABLES, false));
      EXPECT_EQ(at(TWO_TABLES), 1) << "the other side sees the write";
      s->activate();
      drop(child);
      EXPECT_EQ(free_page_count(), before);
    });
  }
}

TEST(memory, the_last_sharer_writes_without_a_copy) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->verify_area(space::FIRST, 1, true));
    ASSERT_TRUE(pc::mmu::use(space::FIRST, true));
    at(space::FIRST) = 9;
    const u32 page = pc::mmu::entry_of(space::FIRST) & ~(PAGE_SIZE - 1);
    drop(*s->copy_page_tables());
    const u32 before = free_page_count();
    ASSERT_TRUE(s->handle_fault(space::FIRST, true));
    EXPECT_EQ(free_page_count(), before);
    EXPECT_EQ(pc::mmu::entry_of(space::FIRST) & ~(PAGE_SIZE - 1), page);
    ASSERT_TRUE(pc::mmu::use(space::FIRST, true));
    EXPECT_EQ(at(space::FIRST), 9);
  });
}

TEST(memory, three_sharers_of_a_page_part_one_after_another) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->verify_area(space::FIRST, 1, true));
    ASSERT_TRUE(pc::mmu::use(space::FIRST, true));
    at(space::FIRST) = 1;
    address_space* const child = *s->copy_page_tables();
    address_space* const other = *s->copy_page_tables();
    u8 value = 2;
    for (address_space* each : {child, other}) {
      each->activate();
      ASSERT_TRUE(each->verify_area(space::FIRST, 1, true));
      ASSERT_TRUE(pc::mmu::use(space::FIRST, true));
      EXPECT_EQ(at(space::FIRST), 1);
      at(space::FIRST) = value++;
    }
    s->activate();
    const u32 before = free_page_count();
    ASSERT_TRUE(s->verify_area(space::FIRST, 1, true));
    EXPECT_EQ(free_page_count(), before) << "its count is 1 again: no copy";
    ASSERT_TRUE(pc::mmu::use(space::FIRST, false));
    EXPECT_EQ(at(space::FIRST), 1);
    drop(child);
    drop(other);
  });
}

TEST(memory, a_read_only_page_stays_so_in_the_child) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->add_area({.start = AREA, .end = AREA + PAGE_SIZE}));
    ASSERT_TRUE(s->handle_fault(AREA, false));
    address_space* const child = *s->copy_page_tables();
    child->activate();
    EXPECT_EQ(child->handle_fault(AREA, true), fail(error::efault));
    EXPECT_TRUE(child->handle_fault(AREA, false));
    s->activate();
    drop(child);
  });
}

TEST(memory, a_child_has_the_areas_and_the_break) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->set_break(TWO_TABLES * 2 - 1));
    EXPECT_EQ(s->program_break(), TWO_TABLES * 2) << "the heap begins on a page of its own";
    ASSERT_TRUE(s->set_break(TWO_TABLES * 2 + 100));
    address_space* const child = *s->copy_page_tables();
    EXPECT_EQ(child->program_break(), TWO_TABLES * 2 + 100);
    EXPECT_TRUE(child->set_break(TWO_TABLES * 2 + PAGE_SIZE + 1));
    EXPECT_EQ(s->program_break(), TWO_TABLES * 2 + 100);
    child->activate();
    EXPECT_TRUE(child->handle_fault(space::FIRST, true));
    s->activate();
    drop(child);
  });
}

// The n-th page fails, for every n until the copy succeeds: nothing is left, the father goes on.
TEST(memory, a_copy_that_fails_midway_leaves_nothing) {
  bare([] {
    const space s;
    for (const u32 page : {space::FIRST, TWO_TABLES}) {
      ASSERT_TRUE(s->verify_area(page, 1, true));
      ASSERT_TRUE(pc::mmu::use(page, true));
      at(page) = 3;
    }
    u32 pages = 0;
    for (;; ++pages) {
      pc::leave_free_pages(pages);
      const result<address_space*> child = s->copy_page_tables();
      if (!child) {
        EXPECT_EQ(child.error(), error::enomem);
        EXPECT_EQ(free_page_count(), pages);
      }
      pc::release_memory();
      for (const u32 page : {space::FIRST, TWO_TABLES}) {
        ASSERT_TRUE(s->verify_area(page, 1, true));
        ASSERT_TRUE(pc::mmu::use(page, true));
        EXPECT_EQ(at(page), 3);
      }
      if (!child) continue;
      drop(*child);
      break;
    }
    EXPECT_EQ(pages, 4u) << "object, directory, two tables";
  });
}

TEST(memory, no_page_for_a_space_a_table_a_page_or_a_copy) {
  bare([] {
    for (u32 pages = 0; pages < 2; ++pages) {
      pc::leave_free_pages(pages);
      EXPECT_EQ(address_space::create(), fail(error::enomem));
      EXPECT_EQ(free_page_count(), pages);
      pc::release_memory();
    }
    const space s;
    for (u32 pages = 0; pages < 2; ++pages) {
      pc::leave_free_pages(pages);
      EXPECT_EQ(s->handle_fault(space::FIRST, true), fail(error::enomem));
      EXPECT_EQ(free_page_count(), 0u);
      pc::release_memory();
    }
    ASSERT_TRUE(s->handle_fault(space::FIRST, true));
    ASSERT_TRUE(pc::mmu::use(space::FIRST, true));
    at(space::FIRST) = 5;
    address_space* const child = *s->copy_page_tables();
    pc::leave_free_pages(0);
    EXPECT_EQ(s->handle_fault(space::FIRST, true), fail(error::enomem));
    ASSERT_TRUE(pc::mmu::use(space::FIRST, false));
    EXPECT_EQ(at(space::FIRST), 5);
    EXPECT_FALSE(pc::mmu::use(space::FIRST, true)) << "still shared";
    pc::release_memory();
    EXPECT_TRUE(s->handle_fault(space::FIRST, true));
    drop(child);
  });
}

TEST(memory, the_active_space_is_not_destroyed) {
  pc::machine machine({.expect_panic = true});
  machine.run_bare([] {
    address_space* const s = *address_space::create();
    s->activate();
    address_space::destroy(s);
  });
  EXPECT_TRUE(machine.panicked());
}

TEST(memory, another_space_shows_nothing_of_the_first) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->handle_fault(space::FIRST, true));
    ASSERT_TRUE(pc::mmu::use(space::FIRST, true));
    address_space* const other = *address_space::create();
    other->activate();
    EXPECT_FALSE(pc::mmu::use(space::FIRST, false));
    address_space::activate_kernel();
    EXPECT_FALSE(pc::mmu::use(space::FIRST, false));
    drop(other);
  });
}

// --- brk ---

TEST(memory, the_break_moves_by_bytes_and_the_heap_by_pages) {
  bare([] {
    const space s;
    constexpr u32 heap = 4 * TWO_TABLES;
    ASSERT_TRUE(s->set_break(heap));
    EXPECT_EQ(s->handle_fault(heap, true), fail(error::efault));
    const u32 before = free_page_count();
    ASSERT_TRUE(s->set_break(heap + 1));
    EXPECT_EQ(s->program_break(), heap + 1);
    ASSERT_TRUE(s->handle_fault(heap + PAGE_SIZE - 1, true));
    EXPECT_EQ(s->handle_fault(heap + PAGE_SIZE, true), fail(error::efault));
    ASSERT_TRUE(s->set_break(heap + PAGE_SIZE));
    EXPECT_EQ(s->handle_fault(heap + PAGE_SIZE, true), fail(error::efault));
    ASSERT_TRUE(s->set_break(heap + PAGE_SIZE + 1));
    ASSERT_TRUE(s->handle_fault(heap + PAGE_SIZE, true));
    EXPECT_EQ(free_page_count(), before - 3) << "two pages and their table";

    ASSERT_TRUE(pc::mmu::use(heap, true));
    ASSERT_TRUE(pc::mmu::use(heap + PAGE_SIZE, true));
    at(heap) = 4;
    ASSERT_TRUE(s->set_break(heap + PAGE_SIZE));
    EXPECT_EQ(free_page_count(), before - 2) << "the second page was freed";
    EXPECT_FALSE(pc::mmu::use(heap + PAGE_SIZE, false)) << "and is not to be seen";
    ASSERT_TRUE(s->set_break(heap + 10)) << "the break moves inside a page";
    ASSERT_TRUE(pc::mmu::use(heap, false));
    EXPECT_EQ(at(heap), 4);
    ASSERT_TRUE(s->set_break(heap));
    EXPECT_EQ(free_page_count(), before - 1);
    ASSERT_TRUE(s->set_break(heap + 2 * PAGE_SIZE));
    ASSERT_TRUE(s->handle_fault(heap, false));
    ASSERT_TRUE(pc::mmu::use(heap, false));
    EXPECT_EQ(at(heap), 0) << "a page that comes back holds zeros";
  });
}

// The heap has pages in its first and its third table, none in its second.
TEST(memory, a_shortened_heap_gives_back_what_stands_behind_a_missing_table) {
  bare([] {
    const space s;
    constexpr u32 heap = 4 * TWO_TABLES, table = TWO_TABLES / 2;
    ASSERT_TRUE(s->set_break(heap));
    ASSERT_TRUE(s->set_break(heap + 3 * table));
    ASSERT_TRUE(s->handle_fault(heap, true));
    const u32 before = free_page_count();
    for (const u32 place : {0u, 1u, table / PAGE_SIZE - 1})
      for (const u32 end : {table, table + PAGE_SIZE, table + 100 * PAGE_SIZE, 2 * table}) {
        const u32 page = heap + 2 * table + place * PAGE_SIZE;
        ASSERT_TRUE(s->handle_fault(page, true));
        ASSERT_TRUE(pc::mmu::use(page, true));
        at(page) = 7;
        ASSERT_TRUE(s->set_break(heap + end));
        EXPECT_FALSE(pc::mmu::use(page, false)) << place << ' ' << end;
        ASSERT_TRUE(s->set_break(heap + 3 * table));
        EXPECT_EQ(free_page_count(), before - 1) << "but for the table";
      }
  });
}

TEST(memory, the_break_stays_between_the_data_and_the_stack) {
  bare([] {
    const space s;
    constexpr u32 heap = space::END, limit = USER_STACK_TOP - USER_STACK_MAX;
    ASSERT_TRUE(s->set_break(heap));
    EXPECT_EQ(s->set_break(heap - PAGE_SIZE), fail(error::enomem));
    EXPECT_EQ(s->program_break(), heap);
    ASSERT_TRUE(s->add_area({.start = heap + 4 * PAGE_SIZE, .end = heap + 5 * PAGE_SIZE}));
    EXPECT_TRUE(s->set_break(heap + 4 * PAGE_SIZE));
    EXPECT_EQ(s->set_break(heap + 4 * PAGE_SIZE + 1), fail(error::enomem));
    EXPECT_EQ(s->program_break(), heap + 4 * PAGE_SIZE);
    EXPECT_EQ(s->set_break(limit + 1), fail(error::enomem));
    EXPECT_EQ(s->set_break(~0u), fail(error::enomem));
  });
  bare([] {
    const space s;
    ASSERT_TRUE(s->set_break(space::END));
    EXPECT_EQ(s->set_break(USER_STACK_TOP - USER_STACK_MAX + 1), fail(error::enomem));
    EXPECT_TRUE(s->set_break(USER_STACK_TOP - USER_STACK_MAX));
    EXPECT_TRUE(s->set_break(space::END));
  });
}

// The area behind the heap keeps its pages when the heap is shortened, and so does the heap its
// rest.
TEST(memory, a_shortened_heap_takes_nothing_of_its_neighbours) {
  bare([] {
    const space s;
    constexpr u32 heap = 4 * TWO_TABLES, behind = heap + 3 * PAGE_SIZE;
    ASSERT_TRUE(s->set_break(heap));
    ASSERT_TRUE(s->add_area({.start = behind, .end = behind + PAGE_SIZE, .writable = true}));
    ASSERT_TRUE(s->set_break(behind));
    ASSERT_TRUE(s->verify_area(heap, 4 * PAGE_SIZE, true));
    const u32 before = free_page_count();
    ASSERT_TRUE(s->set_break(heap + PAGE_SIZE));
    EXPECT_EQ(free_page_count(), before + 2);
    EXPECT_TRUE(pc::mmu::use(behind, true));
    EXPECT_TRUE(pc::mmu::use(heap, true));
  });
}

// The heap is shortened while a child shares its pages.
TEST(memory, a_shared_heap_is_shortened_on_one_side) {
  bare([] {
    const space s;
    constexpr u32 heap = 4 * TWO_TABLES;
    ASSERT_TRUE(s->set_break(heap));
    ASSERT_TRUE(s->set_break(heap + 2 * PAGE_SIZE));
    ASSERT_TRUE(s->verify_area(heap, 2 * PAGE_SIZE, true));
    ASSERT_TRUE(pc::mmu::use(heap, true));
    at(heap) = 6;
    address_space* const child = *s->copy_page_tables();
    const u32 before = free_page_count();
    ASSERT_TRUE(s->set_break(heap));
    EXPECT_EQ(free_page_count(), before) << "the child still has the pages";
    child->activate();
    ASSERT_TRUE(pc::mmu::use(heap, false));
    EXPECT_EQ(at(heap), 6);
    s->activate();
    drop(child);
    EXPECT_GT(free_page_count(), before + 2);
  });
}

// --- the stack ---

TEST(memory, the_stack_grows_down_to_its_limit) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->add_area({.start = USER_STACK_TOP - PAGE_SIZE,
                             .end = USER_STACK_TOP,
                             .writable = true,
                             .grows_down = true}));
    constexpr u32 lowest = USER_STACK_TOP - USER_STACK_MAX;
    EXPECT_TRUE(s->handle_fault(USER_STACK_TOP - 3 * PAGE_SIZE + 5, true));
    EXPECT_TRUE(s->handle_fault(USER_STACK_TOP - 2 * PAGE_SIZE, true)) << "what was skipped";
    EXPECT_EQ(s->handle_fault(lowest - 1, true), fail(error::efault));
    EXPECT_TRUE(s->handle_fault(lowest, true));
    EXPECT_EQ(s->handle_fault(lowest - 1, true), fail(error::efault));
    EXPECT_EQ(s->handle_fault(USER_STACK_TOP, true), fail(error::efault));
  });
}

TEST(memory, the_stack_does_not_grow_into_another_area) {
  bare([] {
    const space s;
    constexpr u32 other = USER_STACK_TOP - 8 * PAGE_SIZE;
    ASSERT_TRUE(s->add_area({.start = USER_STACK_TOP - PAGE_SIZE,
                             .end = USER_STACK_TOP,
                             .writable = true,
                             .grows_down = true}));
    ASSERT_TRUE(s->add_area({.start = other, .end = other + PAGE_SIZE, .writable = false}));
    EXPECT_EQ(s->handle_fault(other - 1, true), fail(error::efault));
    EXPECT_EQ(s->handle_fault(other, true), fail(error::efault));
    EXPECT_TRUE(s->handle_fault(other + PAGE_SIZE, true));
  });
}

// --- verify_area ---

TEST(memory, verified_memory_is_present_to_its_last_byte) {
  bare([] {
    const space s;
    constexpr u32 border = space::FIRST + PAGE_SIZE;
    ASSERT_TRUE(s->verify_area(border - 1, 2, true));
    EXPECT_TRUE(pc::mmu::use(border - 1, true));
    EXPECT_TRUE(pc::mmu::use(border, true));
    ASSERT_TRUE(s->verify_area(border + PAGE_SIZE, PAGE_SIZE, false));
    EXPECT_FALSE(pc::mmu::use(border + 2 * PAGE_SIZE, false)) << "one page was asked for";
    EXPECT_TRUE(s->verify_area(space::FIRST, space::END - space::FIRST, true));
    for (u32 page = space::FIRST; page < space::END; page += PAGE_SIZE)
      EXPECT_TRUE(pc::mmu::use(page, true));
    EXPECT_EQ(s->verify_area(space::FIRST, space::END - space::FIRST + 1, true),
              fail(error::efault));
    EXPECT_EQ(s->verify_area(space::FIRST - 1, 1, false), fail(error::efault));
    EXPECT_EQ(s->verify_area(space::END - 1, 2, false), fail(error::efault));
    EXPECT_TRUE(s->verify_area(space::END, 0, true)) << "no bytes are everywhere";
  });
}

TEST(memory, nothing_of_the_kernel_is_verified) {
  bare([] {
    const space s;
    ASSERT_TRUE(
        s->add_area({.start = KERNEL_BASE - PAGE_SIZE, .end = KERNEL_BASE, .writable = true}));
    EXPECT_TRUE(s->verify_area(KERNEL_BASE - 1, 1, true));
    EXPECT_EQ(s->verify_area(KERNEL_BASE - 1, 2, true), fail(error::efault));
    EXPECT_EQ(s->verify_area(KERNEL_BASE, 1, false), fail(error::efault));
    EXPECT_EQ(s->verify_area(~0u, 1, false), fail(error::efault));
    EXPECT_EQ(s->verify_area(KERNEL_BASE - 1, ~0u, false), fail(error::efault));
    EXPECT_EQ(s->verify_area(space::FIRST, ~0u, false), fail(error::efault));
    EXPECT_EQ(s->verify_area(~0u, ~0u, false), fail(error::efault));
  });
}

TEST(memory, a_shared_page_is_copied_before_the_kernel_writes_to_it) {
  bare([] {
    const space s;
    ASSERT_TRUE(s->verify_area(space::FIRST, 2 * PAGE_SIZE, true));
    address_space* const child = *s->copy_page_tables();
    const u32 before = free_page_count();
    ASSERT_TRUE(s->verify_area(space::FIRST + PAGE_SIZE - 1, 2, false));
    EXPECT_EQ(free_page_count(), before) << "to be read, it stays shared";
    ASSERT_TRUE(s->verify_area(space::FIRST + PAGE_SIZE - 1, 2, true));
    EXPECT_EQ(free_page_count(), before - 2);
    at(space::FIRST + PAGE_SIZE) = 1;
    child->activate();
    EXPECT_EQ(at(space::FIRST + PAGE_SIZE), 0);
    s->activate();
    drop(child);
  });
}

}  // namespace
