// See mmu.h. Also the host's hal/paging.h.
#include "tests/pc/mmu.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>

#include "hal/kernel_stack.h"
#include "hal/paging.h"
#include "hal/panic.h"
#include "mm/page.h"
#include "mm/page_table.h"

alignas(PAGE_SIZE) u32 kernel_page_directory[ENTRIES_PER_TABLE];

namespace pc::mmu {
namespace {

constexpr u32 MOST_PAGES = 16384;
constexpr u32 LOWEST = 0x10000;  // Linux maps nothing below it
constexpr u32 first_kernel_entry = KERNEL_BASE / TABLE_SPAN;
constexpr int UNUSED_MEMORY = 0xA5;

int memory_file = -1;
u32 pages_in_all = 0;
u32 directory = 0;  // cr3
// The kernel's part of the page directory when cr3 was loaded.
std::array<u32, ENTRIES_PER_TABLE - KERNEL_BASE / TABLE_SPAN> loaded_kernel_part{};
u32 fault_address = 0;  // cr2
struct translation_entry {
  u32 frame;
  bool writable;
};
std::map<u32, translation_entry> tlb;  // the pages mapped now
void (*report_kernel_fault)(u32 address, bool write) = nullptr;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::abort();
}

void* at(u32 address) { return reinterpret_cast<void*>(address); }

void unmap(u32 page) {
  if (munmap(at(page), PAGE_SIZE)) give_up("munmap");
}

void map(u32 page, u32 entry, bool writable) {
  const off_t offset = static_cast<off_t>(entry & ~(PAGE_SIZE - 1));
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  if (mmap(at(page), PAGE_SIZE, protection, MAP_SHARED | MAP_FIXED, memory_file, offset) !=
      at(page))
    give_up("mmap of a page");
  tlb[page] = {entry & ~(PAGE_SIZE - 1), writable};
}

void flush_all() {
  for (const auto& [page, entry] : tlb) unmap(page);
  tlb.clear();
}

// What both levels of the page tables allow.
struct translation {
  u32 entry = 0;
  bool present = false, writable = false, user = false;
};

translation look_up(u32 address) {
  const u32 table = table_in(directory)[address / TABLE_SPAN];
  if (!is_present(table)) return {};
  const u32 entry = table_in(table)[address / PAGE_SIZE % ENTRIES_PER_TABLE];
  if (!is_present(entry) || entry / PAGE_SIZE >= pages_in_all) return {};
  return {entry, true, is_writable(table & entry), (table & entry & page_user) != 0};
}

// Whether the kernel is mapped there: its next instruction would be a triple fault without.
bool shows_the_kernel(u32 of_directory) {
  return std::equal(kernel_page_directory + first_kernel_entry,
                    kernel_page_directory + ENTRIES_PER_TABLE,
                    table_in(of_directory) + first_kernel_entry);
}

std::span<const u32> kernel_part() {
  return std::span(kernel_page_directory).subspan(first_kernel_entry);
}

void load_kernel_part() { std::ranges::copy(kernel_part(), loaded_kernel_part.begin()); }

// As head.asm does it: the direct map has tables for as much memory as it has room for.
void map_directly() {
  for (u32 table = 0; table < DIRECT_MAP_SIZE / TABLE_SPAN; ++table)
    kernel_page_directory[first_kernel_entry + table] =
        table * TABLE_SPAN | page_present | page_writable;
}

bool kernel_part_is_true() {
  for (u32 i = 0; i < loaded_kernel_part.size(); ++i)
    if (is_present(loaded_kernel_part[i]) && loaded_kernel_part[i] != kernel_part()[i])
      return false;
  return true;
}

// True when the use may be tried (again).
bool fill_tlb(u32 address, bool write, bool by_program) {
  if (address < LOWEST || address >= KERNEL_BASE) return false;
  const u32 page = address & ~(PAGE_SIZE - 1);
  if (const auto cached = tlb.find(page);
      cached != tlb.end() && (cached->second.writable || !write))
    return true;
  const translation found = look_up(page);
  if (!found.present || (write && !found.writable) || (by_program && !found.user)) return false;
  map(page, found.entry, found.writable);
  return true;
}

// The kernel's own uses: a page that the tables allow is mapped, and the use is tried again.
void on_fault(int, siginfo_t* info, void* context) {
  const auto address = static_cast<u32>(reinterpret_cast<uintptr_t>(info->si_addr));
  const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const bool write = registers[REG_ERR] & 2;
  if (address < KERNEL_BASE && fill_tlb(address, write, false)) return;
  if (report_kernel_fault) report_kernel_fault(address, write);
  std::abort();
}

void catch_faults() {
  static std::array<byte, 65536> handler_stack;
  const stack_t stack{
      .ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
  if (sigaltstack(&stack, nullptr)) give_up("sigaltstack");
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  if (sigaction(SIGSEGV, &action, nullptr)) give_up("sigaction");
}

void make_memory() {
  memory_file = static_cast<int>(syscall(SYS_memfd_create, "memory", 0u));
  const off_t size = off_t{MOST_PAGES} * off_t{PAGE_SIZE};
  if (memory_file < 0 || ftruncate(memory_file, size)) give_up("memfd_create");
  const void* const memory = mmap(at(KERNEL_BASE), MOST_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_FIXED_NOREPLACE, memory_file, 0);
  if (memory != at(KERNEL_BASE)) give_up("mmap of the memory");
  catch_faults();
}

}  // namespace

void power_on(u32 pages) {
  if (memory_file < 0) make_memory();
  if (pages > MOST_PAGES) give_up("too much memory");
  flush_all();
  pages_in_all = pages;
  std::memset(at(KERNEL_BASE), UNUSED_MEMORY, size_t{pages} * PAGE_SIZE);
  std::memset(kernel_page_directory, 0, sizeof kernel_page_directory);
  map_directly();
  load_kernel_part();
  directory = physical_address(kernel_page_directory);
}

bool use(u32 address, bool write) { return fill_tlb(address, write, true); }

u32 fault_code(u32 address, bool write) {
  constexpr u32 by_program = 4;
  return by_program | (write ? 2u : 0u) | (look_up(address).present ? 1u : 0u);
}

void set_faulting_address(u32 address) { fault_address = address; }

void on_kernel_fault(void (*report)(u32 address, bool write)) { report_kernel_fault = report; }

bool tlb_is_true() {
  return kernel_part_is_true() && std::ranges::all_of(tlb, [](const auto& cached) {
           const auto& [page, entry] = cached;
           const translation now = look_up(page);
           return now.present && (now.entry & ~(PAGE_SIZE - 1)) == entry.frame &&
                  (now.writable || !entry.writable);
         });
}

void for_each_user_page(const std::function<void(u32 entry)>& action) {
  for (u32 i = 0; i < first_kernel_entry; ++i) {
    const u32 table = table_in(directory)[i];
    if (!is_present(table)) continue;
    for (const u32 entry : std::span(table_in(table), ENTRIES_PER_TABLE))
      if (is_present(entry)) action(entry);
  }
}

u32 pages_of_active_space() {
  u32 pages = 0;
  for (u32 i = 0; i < first_kernel_entry; ++i) {
    const u32 table = table_in(directory)[i];
    if (!is_present(table)) continue;
    ++pages;
    for (u32 entry = 0; entry < ENTRIES_PER_TABLE; ++entry)
      if (is_present(table_in(table)[entry])) ++pages;
  }
  return pages;
}

u32 entry_of(u32 address) { return look_up(address).entry; }

}  // namespace pc::mmu

// --- hal/paging.h ---

void load_page_directory(u32 physical_address) {
  if (!pc::mmu::shows_the_kernel(physical_address))
    panic("the kernel is not in the new cr3's space");
  pc::mmu::directory = physical_address;
  pc::mmu::flush_all();
  pc::mmu::load_kernel_part();
}

void flush_translation(u32 address) {
  const u32 page = address & ~(PAGE_SIZE - 1);
  if (pc::mmu::tlb.erase(page)) pc::mmu::unmap(page);
}

u32 faulting_address() { return pc::mmu::fault_address; }

// --- hal/kernel_stack.h: without guard pages; races.cc wants a stack aligned to its size ---

std::span<byte> allocate_kernel_stack(u32) {
  return allocate_aligned_pages(KERNEL_STACK_SIZE / PAGE_SIZE, KERNEL_STACK_SIZE / PAGE_SIZE);
}

void free_kernel_stack(std::span<byte> stack) { free_pages(stack); }
