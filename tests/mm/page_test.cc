// Pages, their counts, DMA memory and windows of device registers.
#include "mm/page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hal/dma.h"
#include "hal/mmio.h"
#include "hal/paging.h"
#include "mm/mmio.h"
#include "mm/page_table.h"
#include "tests/pc/machine.h"
#include "tests/pc/mmu.h"

namespace {

void bare(const std::function<void()>& body) {
  pc::machine machine({.pages = 512});
  machine.run_bare(body);
}

bool panics(const std::function<void()>& body) {
  pc::machine machine({.pages = 512, .expect_panic = true});
  machine.run_bare(body);
  return machine.panicked();
}

TEST(page, holds_zeros_whatever_stood_there) {
  bare([] {
    byte* const page = get_free_page();
    std::fill_n(page, PAGE_SIZE, byte{0xFF});
    free_page(page);
    byte* const again = get_free_page();
    EXPECT_EQ(again, page) << "the test needs the same page";
    EXPECT_TRUE(std::all_of(again, again + PAGE_SIZE, [](byte b) { return b == byte{0}; }));
    const auto run = allocate_pages(3);
    EXPECT_TRUE(std::ranges::all_of(run, [](byte b) { return b == byte{0}; }));
  });
}

// Where there is no memory, a wrong pointer must fault.
TEST(page, behind_the_end_of_memory_nothing_is_mapped) {
  constexpr u32 pages_of_a_table = TABLE_SPAN / PAGE_SIZE;
  for (const u32 pages : {pages_of_a_table - 1, pages_of_a_table, pages_of_a_table + 1}) {
    pc::machine machine({.pages = pages});
    machine.run_bare([pages] {
      const u32* const tables = kernel_page_directory + KERNEL_BASE / TABLE_SPAN;
      const u32 mapped = (pages + pages_of_a_table - 1) / pages_of_a_table;
      for (u32 i = 0; i < DIRECT_MAP_SIZE / TABLE_SPAN; ++i)
        ASSERT_EQ(is_present(tables[i]), i < mapped) << pages << " pages, table " << i;
      EXPECT_TRUE(pc::mmu::tlb_is_true()) << "the processor still knows the old tables";
    });
  }
}

TEST(page, is_free_when_its_last_user_has_given_it_up) {
  bare([] {
    byte* const page = get_free_page();
    const u32 before = free_page_count();
    EXPECT_FALSE(page_is_shared(page));
    share_page(page);
    share_page(page);
    EXPECT_TRUE(page_is_shared(page));
    free_page(page);
    EXPECT_TRUE(page_is_shared(page));
    EXPECT_EQ(free_page_count(), before);
    free_page(page);
    EXPECT_FALSE(page_is_shared(page));
    EXPECT_EQ(free_page_count(), before);
    free_page(page);
    EXPECT_EQ(free_page_count(), before + 1);
  });
}

TEST(page, all_of_them_are_given_out_once_and_come_back) {
  bare([] {
    const u32 total = free_page_count();
    std::vector<byte*> pages;
    while (byte* page = get_free_page()) pages.push_back(page);
    EXPECT_EQ(pages.size(), total);
    EXPECT_EQ(free_page_count(), 0u);
    EXPECT_TRUE(allocate_pages(1).empty());
    EXPECT_TRUE(allocate_unset_pages(1).empty());
    std::ranges::sort(pages);
    EXPECT_EQ(std::ranges::adjacent_find(pages), pages.end());
    for (byte* page : pages) free_page(page);
    EXPECT_EQ(free_page_count(), total);
    EXPECT_LE(total, total_page_count());
  });
}

TEST(page, wrong_uses_are_noticed) {
  EXPECT_TRUE(panics([] {
    byte* const page = get_free_page();
    free_page(page);
    free_page(page);
  })) << "freed twice";
  EXPECT_TRUE(panics([] {
    byte* const page = get_free_page();
    free_page(page);
    share_page(page);
  })) << "shared although it is free";
  EXPECT_TRUE(panics([] {
    byte* const page = get_free_page();
    share_page(page);
    free_pages({page, PAGE_SIZE});
  })) << "freed as a run although it is shared";
}

TEST(page, an_empty_run_may_be_given_back) {
  bare([] {
    const u32 before = free_page_count();
    free_pages({});
    EXPECT_EQ(free_page_count(), before);
  });
}

TEST(page, an_aligned_run_is_aligned) {
  bare([] {
    byte* const shift = get_free_page();
    for (const u32 alignment : {1u, 2u, 16u}) {
      const auto run = allocate_aligned_pages(3, alignment);
      ASSERT_EQ(run.size(), 3 * PAGE_SIZE);
      EXPECT_EQ(physical_address(run.data()) % (alignment * PAGE_SIZE), 0u);
      free_pages(run);
    }
    free_page(shift);
  });
}

// What mem_init makes of memory with holes: pages that are only in part in a range are not used.
TEST(page, memory_with_holes) {
  constexpr u32 MIB = 0x10'0000;
  const std::array<memory_range, 5> ranges = {{
      {0, 0x9F000},                              // below the kernel: not to be used
      {MIB, 2 * MIB - 1},                        // without the last byte of a page
      {2 * MIB + 1, 2 * MIB + 0x3000},           // without the first byte of a page
      {DIRECT_MAP_SIZE, DIRECT_MAP_SIZE + MIB},  // beyond what the kernel can see
      {u64{1} << 32, u64{1} << 33},
  }};
  pc::machine machine({.pages = 1024, .ranges = ranges, .kernel_end = MIB + 5});
  machine.run_bare([] {
    std::vector<u32> pages;
    while (const byte* page = get_free_page()) pages.push_back(physical_address(page));
    EXPECT_EQ(pages.size(), total_page_count());
    std::ranges::sort(pages);
    EXPECT_GE(pages.front(), MIB + PAGE_SIZE) << "the kernel's last page, and the map behind it";
    EXPECT_EQ(pages.back(), 2 * MIB + 2 * PAGE_SIZE);
    EXPECT_FALSE(std::ranges::binary_search(pages, 2 * MIB - PAGE_SIZE));
    EXPECT_FALSE(std::ranges::binary_search(pages, 2 * MIB));
    EXPECT_TRUE(std::ranges::binary_search(pages, 2 * MIB - 2 * PAGE_SIZE));
    EXPECT_TRUE(std::ranges::binary_search(pages, 2 * MIB + PAGE_SIZE));
  });
}

// --- DMA memory ---

TEST(dma, a_buffer_is_zeroed_aligned_crosses_no_boundary_and_frees_itself) {
  bare([] {
    byte* const shift = get_free_page();
    const u32 before = free_page_count();
    for (const u32 size : {1u, 4096u, 4097u, 3 * 4096u, 65536u}) {
      for (const u32 alignment : {1u, 64u, 4096u, 65536u}) {
        const dma_buffer buffer = *dma_buffer::allocate(size, alignment);
        EXPECT_EQ(buffer.bytes().size(), size);
        EXPECT_EQ(buffer.address().value() % alignment, 0u);
        EXPECT_EQ(buffer.address().value(), physical_address(buffer.bytes().data()));
        EXPECT_EQ(buffer.address().value() / DMA_BOUNDARY,
                  (buffer.address().value() + size - 1) / DMA_BOUNDARY);
        EXPECT_TRUE(std::ranges::all_of(buffer.bytes(), [](byte b) { return b == byte{0}; }));
        std::ranges::fill(buffer.bytes(), byte{0xEE});
      }
    }
    EXPECT_EQ(free_page_count(), before);
    free_page(shift);
  });
}

TEST(dma, a_buffer_that_is_moved_is_freed_once) {
  bare([] {
    const u32 before = free_page_count();
    {
      dma_buffer first = *dma_buffer::allocate(PAGE_SIZE, 1);
      dma_buffer second = std::move(first);
      EXPECT_FALSE(first);
      EXPECT_TRUE(second);
      EXPECT_EQ(free_page_count(), before - 1);
      dma_buffer third = *dma_buffer::allocate(2 * PAGE_SIZE, 1);
      third = std::move(second);
      EXPECT_EQ(third.bytes().size(), PAGE_SIZE);
      EXPECT_EQ(third.address().value(), physical_address(third.bytes().data()));
    }
    EXPECT_EQ(free_page_count(), before);
  });
}

TEST(dma, no_memory) {
  bare([] {
    pc::leave_free_pages(1);
    EXPECT_FALSE(dma_buffer::allocate(PAGE_SIZE + 1, 1));
    EXPECT_EQ(free_page_count(), 1u);
    EXPECT_TRUE(dma_buffer::allocate(PAGE_SIZE, 1));
    pc::release_memory();
  });
}

// --- windows of registers ---

u32 entry_of_window(u32 address) {
  const u32 table = kernel_page_directory[address / TABLE_SPAN];
  return table_in(table)[address / PAGE_SIZE % ENTRIES_PER_TABLE];
}

TEST(mmio, a_window_shows_its_registers_uncached) {
  bare([] {
    mmio_init();
    const auto first = map_mmio(phys_addr{0xFEB0'0010}, 0x20);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->size(), 0x20u);
    EXPECT_EQ(entry_of_window(MMIO_START), 0xFEB0'0000 | 0x1B) << "present, writable, uncached";
    ASSERT_TRUE(map_mmio(phys_addr{0xFEC0'0FFF}, 2)) << "two pages for two bytes";
    EXPECT_EQ(entry_of_window(MMIO_START + PAGE_SIZE) & ~0xFFFu, 0xFEC0'0000);
    EXPECT_EQ(entry_of_window(MMIO_START + 2 * PAGE_SIZE) & ~0xFFFu, 0xFEC0'1000);
    EXPECT_EQ(entry_of_window(MMIO_START + 3 * PAGE_SIZE), 0u);
  });
}

TEST(mmio, its_page_tables_are_made_at_boot_or_the_boot_ends) {
  EXPECT_TRUE(panics([] {
    pc::leave_free_pages(0);
    mmio_init();
  }));
}

TEST(mmio, a_part_of_a_window) {
  bare([] {
    std::array<u32, 4> registers{1, 2, 3, 4};
    const mmio_window whole(registers.data(), sizeof registers);
    const mmio_window part = whole.from(8);
    EXPECT_EQ(part.size(), 8u);
    EXPECT_EQ(part.read32(0), 3u);
    part.write32(4, 7);
    EXPECT_EQ(registers, (std::array<u32, 4>{1, 2, 3, 7}));
    EXPECT_EQ(whole.from(16).size(), 0u);
  });
}

TEST(mmio, limits) {
  bare([] {
    mmio_init();
    EXPECT_EQ(map_mmio(phys_addr{0x1000}, 0).error(), error::einval);
    EXPECT_EQ(map_mmio(phys_addr{0xFFFF'F000}, 0x1001).error(), error::einval);
    EXPECT_EQ(map_mmio(phys_addr{u64{1} << 32}, 1).error(), error::einval);
    EXPECT_TRUE(map_mmio(phys_addr{0xFFFF'F000}, 0x1000));
    EXPECT_EQ(map_mmio(phys_addr{0}, MMIO_SIZE).error(), error::enomem) << "a page is taken";
    EXPECT_TRUE(map_mmio(phys_addr{0}, MMIO_SIZE - PAGE_SIZE));
    EXPECT_EQ(map_mmio(phys_addr{0}, 1).error(), error::enomem);
  });
}

}  // namespace
