// Random address spaces against a model: what each sees, that no page is written by two, that the
// counts fit the tables, and that every page is given back.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "mm/address_space.h"
#include "mm/page.h"
#include "mm/page_table.h"
#include "tests/pc/machine.h"
#include "tests/pc/mmu.h"

namespace {

constexpr u32 DATA = 0x007F'C000,
              DATA_END = DATA + 8 * PAGE_SIZE;  // across the border of two tables
constexpr u32 TEXT = 0x0040'0000;               // one page, read-only
constexpr u32 HEAP = DATA_END, MOST_HEAP = 6 * PAGE_SIZE;
constexpr u32 STACK_PAGES = 4;
constexpr u32 STACK = USER_STACK_TOP - STACK_PAGES * PAGE_SIZE;

u8& at(u32 address) { return *reinterpret_cast<u8*>(address); }
u32 frame_of(u32 entry) { return entry / PAGE_SIZE; }

struct process {
  address_space* space;
  u32 end_of_heap = HEAP;
  std::map<u32, u8> pages;  // those that have been touched, and the first byte of each
};

class world {
 public:
  explicit world(u32 seed) : random_(seed), free_before_(free_page_count()) {
    process first{*address_space::create(), HEAP, {}};
    EXPECT_TRUE(first.space->add_area({.start = DATA, .end = DATA_END, .writable = true}));
    EXPECT_TRUE(first.space->add_area({.start = TEXT, .end = TEXT + PAGE_SIZE}));
    EXPECT_TRUE(first.space->add_area({.start = USER_STACK_TOP - PAGE_SIZE,
                                       .end = USER_STACK_TOP,
                                       .writable = true,
                                       .grows_down = true}));
    EXPECT_TRUE(first.space->set_break(HEAP));
    processes_.push_back(first);
  }

  void step() {
    const size_t index = pick(static_cast<u32>(processes_.size()));
    processes_[index].space->activate();
    switch (pick(12)) {
      case 0: return fork(index);
      case 1: return end(index);
      case 2: return move_break(processes_[index]);
      default: return touch(processes_[index]);
    }
  }

  void expect_right() {
    std::map<u32, u32> references;
    std::set<u32> writable;
    u32 used = 0;
    for (const process& p : processes_) {
      p.space->activate();
      for (const auto& [page, value] : p.pages) {
        ASSERT_TRUE(pc::mmu::use(page, false)) << std::hex << page;
        ASSERT_EQ(at(page), value) << std::hex << page;
      }
      u32 present = 0;
      pc::mmu::for_each_user_page([&](u32 entry) {
        ++present;
        ++references[frame_of(entry)];
        if (is_writable(entry)) writable.insert(frame_of(entry));
      });
      ASSERT_EQ(present, p.pages.size());
      used += 2 + pc::mmu::pages_of_active_space() - present;
    }
    for (const auto& [frame, count] : references) {
      ASSERT_EQ(page_is_shared(direct_map(frame * PAGE_SIZE)), count > 1);
      ASSERT_TRUE(count == 1 || !writable.contains(frame)) << "written by two";
    }
    ASSERT_EQ(free_page_count() + used + references.size(), free_before_);
  }

  void end_all() {
    address_space::activate_kernel();
    for (const process& p : processes_) address_space::destroy(p.space);
    EXPECT_EQ(free_page_count(), free_before_);
  }

 private:
  u32 pick(u32 below) { return static_cast<u32>(random_() % below); }

  u32 some_page() {
    const u32 bases[] = {TEXT, DATA - PAGE_SIZE, HEAP, STACK - PAGE_SIZE};
    return bases[pick(4)] + pick(9) * PAGE_SIZE;
  }
  static bool may(const process& p, u32 page, bool write) {
    if (page == TEXT) return !write;
    if (page >= DATA && page < DATA_END) return true;
    if (page >= HEAP && page < p.end_of_heap) return true;
    return page >= STACK - PAGE_SIZE && page < USER_STACK_TOP;
  }

  void touch(process& p) {
    const u32 page = some_page();
    const bool write = pick(2);
    const result<void> done =
        pick(2) ? p.space->handle_fault(page + pick(PAGE_SIZE), write)
                : p.space->verify_area(page + pick(PAGE_SIZE - 4), 1 + pick(4), write);
    ASSERT_EQ(done.has_value(), may(p, page, write)) << std::hex << page << write;
    if (!done) return;
    ASSERT_TRUE(pc::mmu::use(page, write));
    u8& value = p.pages[page];
    ASSERT_EQ(at(page), value);
    if (write) value = at(page) = static_cast<u8>(random_());
    ASSERT_TRUE(pc::mmu::tlb_is_true());
  }

  void move_break(process& p) {
    const u32 to = HEAP + pick(MOST_HEAP);
    ASSERT_TRUE(p.space->set_break(to));
    ASSERT_EQ(p.space->program_break(), to);
    ASSERT_EQ(p.space->set_break(HEAP - 1 - pick(5000)), fail(error::enomem));
    p.end_of_heap = (to + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    p.pages.erase(p.pages.lower_bound(p.end_of_heap), p.pages.lower_bound(STACK - PAGE_SIZE));
    ASSERT_TRUE(pc::mmu::tlb_is_true());
  }

  void fork(size_t index) {
    if (processes_.size() == 5) return;
    const bool scarce = pick(2);
    if (scarce) pc::leave_free_pages(pick(6));
    const result<address_space*> child = processes_[index].space->copy_page_tables();
    if (scarce) pc::release_memory();
    ASSERT_TRUE(pc::mmu::tlb_is_true());
    if (!child) return;
    process copy = processes_[index];
    copy.space = *child;
    processes_.push_back(copy);
  }

  void end(size_t index) {
    if (processes_.size() == 1) return;
    address_space::activate_kernel();
    address_space::destroy(processes_[index].space);
    processes_.erase(processes_.begin() + static_cast<long>(index));
  }

  std::mt19937 random_;
  u32 free_before_;
  std::vector<process> processes_;
};

TEST(memory, random_spaces_agree_with_a_model) {
  for (u32 seed = 0; seed < 12; ++seed) {
    pc::machine machine({.pages = 512});
    machine.run_bare([&] {
      world w(seed);
      for (u32 i = 0; i < 400 && !testing::Test::HasFatalFailure(); ++i) {
        w.step();
        if (i % 8 == 0) w.expect_right();
      }
      w.end_all();
    });
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
