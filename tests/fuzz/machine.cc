// The machine that `make fuzz` runs on: hal/*.h for one task, which nothing interrupts. A sleep
// ends at its deadline; one without a deadline would never end, and is a finding.
#include "tests/fuzz/machine.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "hal/clock.h"
#include "hal/dma.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/may_sleep.h"
#include "hal/memory.h"
#include "hal/mmio.h"
#include "hal/panic.h"
#include "hal/port_io.h"
#include "hal/task.h"
#include "hal/wait.h"
#include "lib/format.h"

namespace {

instant clock{};

// AddressSanitizer finds what is behind it.
byte* take(size_t size, size_t alignment) {
  void* memory = nullptr;
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) != 0) std::abort();
  std::memset(memory, 0, size);
  return static_cast<byte*>(memory);
}

wake_reason sleep_until(instant deadline) {
  if (deadline == never) panic("a sleep without an end");
  clock = std::max(clock, deadline);
  return wake_reason::timed_out;
}

}  // namespace

instant now() { return clock; }
u32 boot_date() { return 1'767'225'600; }
u32 current_time() { return boot_date() + static_cast<u32>(clock.ns / 1'000'000'000); }

wake_reason sleep_on(wait_queue&, instant deadline) { return sleep_until(deadline); }
wake_reason sleep_on(wait_queue&) { return sleep_until(never); }
wake_reason interruptible_sleep_on(wait_queue&, instant deadline) { return sleep_until(deadline); }
void wake_sleepers(wait_queue&) {}
void sleep_for(duration time) { sleep_until(now() + time); }

irq_guard::irq_guard() : were_enabled_(false) {}
irq_guard::~irq_guard() = default;
result<void> request_irq(u8, bool, irq_handler, void*) { return {}; }
void may_sleep() {}

result<void> kernel_task(const char*, void (*)(void*), void*) { return fail(error::eagain); }
task_struct* current_task() {
  static int the_task;
  return reinterpret_cast<task_struct*>(&the_task);
}
int current_pid() { return 1; }
bool signal_pending() { return false; }
void yield() {}

std::span<byte> allocate_pages(u32 count) {
  return {take(size_t{count} * PAGE_SIZE, PAGE_SIZE), size_t{count} * PAGE_SIZE};
}
std::span<byte> allocate_unset_pages(u32 count) { return allocate_pages(count); }
void free_pages(std::span<byte> pages) { std::free(pages.data()); }
u32 free_page_count() { return 4096; }
u32 total_page_count() { return 4096; }

result<dma_buffer> dma_buffer::allocate(u32 size, u32 alignment) {
  dma_buffer made;
  made.base_ = take(size, alignment);
  made.size_ = size;
  made.address_ = dma_address(made.base_);
  return made;
}
dma_buffer::dma_buffer(dma_buffer&& other) noexcept { *this = std::move(other); }
dma_buffer& dma_buffer::operator=(dma_buffer&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(size_, other.size_);
  std::swap(address_, other.address_);
  return *this;
}
dma_buffer::~dma_buffer() { std::free(base_); }
phys_addr dma_address(const void* memory) { return phys_addr(reinterpret_cast<u64>(memory)); }
void dma_write_barrier() {}
void dma_read_barrier() {}

// Formats every message, as the kernel does.
void printk(const char* format, ...) {
  std::array<char, 512> text;
  va_list arguments;
  va_start(arguments, format);
  format_to(text, format, arguments);
  va_end(arguments);
}

void panic(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputs("\n", stderr);
  std::abort();
}

namespace fuzz {

std::span<byte> memory_at(const dma_segment& segment) {
  return {reinterpret_cast<byte*>(segment.address.value()), segment.length};
}

}  // namespace fuzz
