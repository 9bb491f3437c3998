#include "hal/machine.h"

#include <algorithm>
#include <array>
#include <span>

#include "hal/log.h"
#include "hal/text_screen.h"
#include "kernel/i386/clock.h"
#include "kernel/i386/descriptors.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/kernel_map.h"
#include "kernel/i386/multiboot.h"
#include "kernel/options.h"
#include "mm/mmio.h"
#include "mm/page.h"

extern "C" {
extern void (*const constructors_start[])();  // linker.ld
extern void (*const constructors_end[])();
extern const char kernel_end[];
}

namespace {

constexpr u32 one_mib = 1 << 20;
constexpr u32 usable = 1;

void run_constructors() {
  const auto count = static_cast<size_t>(constructors_end - constructors_start);
  for (void (*construct)() : std::span(constructors_start, count)) construct();
}

// Every use of the floating point unit faults: the kernel does not switch its registers.
void switch_fpu_off() {
  constexpr u32 emulation = 1 << 2;
  u32 cr0;
  asm volatile("mov %%cr0, %0" : "=r"(cr0));
  asm volatile("mov %0, %%cr0" : : "r"(cr0 | emulation));
}

using memory_list = std::array<memory_range, 32>;

std::span<const memory_range> read_memory_map(const multiboot_info& info, memory_list& list) {
  if (!(info.flags & multiboot_has_memory_map)) {
    list[0] = {one_mib, one_mib + u64{info.memory_upper} * 1024};
    return {list.data(), 1};
  }
  size_t count = 0;
  u32 at = info.memory_map;
  while (at < info.memory_map + info.memory_map_length && count < list.size()) {
    const auto& entry = *reinterpret_cast<const multiboot_memory*>(direct_map(at));
    if (entry.type == usable) list[count++] = {entry.address, entry.address + entry.length};
    at += entry.size + sizeof(entry.size);
  }
  return {list.data(), count};
}

}  // namespace

std::span<u16, screen_rows * screen_columns> text_screen() {
  constexpr u32 colour_text_memory = 0xB8000;
  return std::span<u16, screen_rows * screen_columns>(
      reinterpret_cast<u16*>(direct_map(colour_text_memory)), screen_rows * screen_columns);
}

void machine_init(u32 multiboot_information) {
  run_constructors();
  switch_fpu_off();
  descriptors_init();
  interrupts_init();

  const auto& info = *reinterpret_cast<const multiboot_info*>(direct_map(multiboot_information));
  if (info.flags & multiboot_has_command_line)
    set_boot_options(reinterpret_cast<const char*>(direct_map(info.command_line)));
  memory_list memory;
  mem_init(read_memory_map(info, memory), physical_address(kernel_end));
  kernel_map_init();
  mmio_init();
  clock_init();
}
