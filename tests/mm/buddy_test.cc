// The buddy system.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "hal/memory.h"
#include "mm/buddy.h"

namespace {

// Some memory of `count` pages, all of it free but the first `used`.
class memory {
 public:
  explicit memory(u32 count, u32 used = 0)
      : bytes_(static_cast<byte*>(std::aligned_alloc(PAGE_SIZE, size_t{count} * PAGE_SIZE)),
               std::free),
        info_(count) {
    buddies.init(bytes_.get(), info_);
    buddies.free(used, count - used);
  }

 private:
  std::unique_ptr<byte, decltype(&std::free)> bytes_;
  std::vector<page_info> info_;

 public:
  buddy_allocator buddies;
};

TEST(buddy, gives_everything_away_and_takes_it_back) {
  memory m(100, 3);
  EXPECT_EQ(m.buddies.free_pages(), 97u);
  std::vector<bool> given(100);
  for (u32 i = 0; i < 97; ++i) {
    const auto page = m.buddies.allocate(1);
    ASSERT_TRUE(page);
    ASSERT_GE(*page, 3u);
    ASSERT_FALSE(given[*page]);
    given[*page] = true;
  }
  EXPECT_FALSE(m.buddies.allocate(1));
  for (u32 page = 3; page < 100; ++page) m.buddies.free(page, 1);
  EXPECT_EQ(m.buddies.free_pages(), 97u);
}

TEST(buddy, freed_neighbours_grow_together) {
  memory m(64);
  std::vector<u32> pages;
  for (u32 i = 0; i < 64; ++i) pages.push_back(*m.buddies.allocate(1));
  std::ranges::shuffle(pages, std::mt19937(1));
  for (const u32 page : pages) m.buddies.free(page, 1);
  EXPECT_EQ(m.buddies.allocate(64), 0u);
}

TEST(buddy, a_run_takes_no_more_than_it_was_asked_for) {
  memory m(64);
  ASSERT_TRUE(m.buddies.allocate(33));
  EXPECT_EQ(m.buddies.free_pages(), 31u);
  EXPECT_TRUE(m.buddies.allocate(16));
  EXPECT_TRUE(m.buddies.allocate(8));
}

TEST(buddy, runs_are_aligned) {
  memory m(256, 1);
  for (const u32 count : {1u, 2u, 3u, 5u, 16u, 17u}) {
    const auto first = m.buddies.allocate(count);
    ASSERT_TRUE(first);
    EXPECT_EQ(*first % std::bit_ceil(count), 0u) << count;
  }
  EXPECT_EQ(*m.buddies.allocate(1, 4) % 16, 0u);
}

TEST(buddy, what_does_not_fit_is_refused_and_changes_nothing) {
  memory m(32);
  EXPECT_FALSE(m.buddies.allocate(33));
  EXPECT_FALSE(m.buddies.allocate(1u << 30));
  EXPECT_EQ(m.buddies.free_pages(), 32u);
}

// Two runs of the largest size: 2 GiB, of which only the first bytes of runs are touched.
TEST(buddy, the_largest_runs) {
  constexpr u32 largest = 1u << buddy_allocator::max_order;
  const size_t size = (size_t{largest} + 1) * PAGE_SIZE;
  void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  std::vector<page_info> info(2 * largest);
  buddy_allocator buddies;
  buddies.init(static_cast<byte*>(at), info);
  buddies.free(0, largest);
  buddies.free(largest, largest);
  EXPECT_FALSE(buddies.allocate(largest + 1)) << "they do not grow together";
  EXPECT_EQ(std::set({*buddies.allocate(largest), *buddies.allocate(largest)}),
            (std::set<u32>{0, largest}));
  EXPECT_FALSE(buddies.allocate(1));
  buddies.free(0, largest);
  EXPECT_EQ(buddies.allocate(1), 0u) << "split down to one page";
  buddies.free(0, 1);
  EXPECT_EQ(buddies.allocate(largest), 0u) << "and one run again";
  munmap(at, size);
}

// Runs of all sizes are taken and given back; none overlaps another, and in the end all memory is
// one run again.
TEST(buddy, random_use) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    memory m(512);
    std::map<u32, u32> runs;  // first page, count
    for (int step = 0; step < 2000; ++step) {
      if (runs.empty() || random() % 2) {
        const u32 count = 1 + static_cast<u32>(random() % 40);
        const auto first = m.buddies.allocate(count);
        if (!first) continue;
        const auto next = runs.lower_bound(*first);
        ASSERT_TRUE(next == runs.end() || *first + count <= next->first) << "seed " << seed;
        ASSERT_TRUE(next == runs.begin() ||
                    std::prev(next)->first + std::prev(next)->second <= *first)
            << "seed " << seed;
        runs[*first] = count;
      } else {
        const auto victim = std::next(runs.begin(), static_cast<long>(random() % runs.size()));
        m.buddies.free(victim->first, victim->second);
        runs.erase(victim);
      }
    }
    for (const auto& [first, count] : runs) m.buddies.free(first, count);
    EXPECT_EQ(m.buddies.free_pages(), 512u);
    EXPECT_EQ(m.buddies.allocate(512), 0u) << "seed " << seed;
  }
}

}  // namespace
