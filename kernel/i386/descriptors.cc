#include "kernel/i386/descriptors.h"

#include <array>

namespace {

struct segment_descriptor {
  u32 low, high;
};

// 4 GiB from address 0, in 4 KiB units (Intel SDM volume 3, 3.4.5).
constexpr segment_descriptor flat_segment(u32 type, u32 privilege) {
  return {0x0000FFFF, 0x00CF9000 | privilege << 13 | type << 8};
}
constexpr u32 type_code = 0xA, type_data = 0x2;

struct task_state {
  u32 link, esp0, ss0;
  u32 unused[22];
  u16 trap, io_map_base;
};
static_assert(sizeof(task_state) == 104);

struct gate_descriptor {
  u16 offset_low, selector, attributes, offset_high;
};

// An interrupt gate: interrupts are masked on entry (6.11). `privilege` 3 lets programs call it.
gate_descriptor interrupt_gate(const void* entry, u32 privilege) {
  const u32 offset = static_cast<u32>(reinterpret_cast<uintptr_t>(entry));
  return {static_cast<u16>(offset), kernel_code, static_cast<u16>(0x8E00 | privilege << 13),
          static_cast<u16>(offset >> 16)};
}

std::array<segment_descriptor, 6> gdt = {{
    {0, 0},
    flat_segment(type_code, 0),
    flat_segment(type_data, 0),
    flat_segment(type_code, 3),
    flat_segment(type_data, 3),
    {0, 0},  // the task state segment
}};
std::array<gate_descriptor, 256> idt;
task_state tss;

struct [[gnu::packed]] table_register {
  u16 limit;
  const void* base;
};

segment_descriptor task_state_descriptor() {
  const u32 base = static_cast<u32>(reinterpret_cast<uintptr_t>(&tss));
  return {base << 16 | (sizeof(tss) - 1), (base & 0xFF00'0000) | 0x8900 | (base >> 16 & 0xFF)};
}

void load_segments() {
  const table_register gdtr{sizeof(gdt) - 1, gdt.data()};
  asm volatile(
      "lgdt %0\n"
      "ljmp %1, $1f\n"
      "1: mov %2, %%ds; mov %2, %%es; mov %2, %%fs; mov %2, %%gs; mov %2, %%ss"
      :
      : "m"(gdtr), "i"(kernel_code), "r"(u32{kernel_data})
      : "memory");
}

}  // namespace

// traps.asm: where vectors 0 to 47 and the system call enter.
extern "C" const void* const trap_entries[first_irq_vector + 16];
extern "C" const char system_call_entry[];

void descriptors_init() {
  tss.ss0 = kernel_data;
  tss.io_map_base = sizeof(tss);
  gdt[task_state_selector / 8] = task_state_descriptor();
  load_segments();
  asm volatile("ltr %0" : : "r"(task_state_selector));

  for (u32 vector = 0; vector < first_irq_vector + 16; ++vector) {
    const bool for_programs = vector == 3 || vector == 4;  // int3, into
    idt[vector] = interrupt_gate(trap_entries[vector], for_programs ? 3 : 0);
  }
  idt[system_call_vector] = interrupt_gate(system_call_entry, 3);
  const table_register idtr{sizeof(idt) - 1, idt.data()};
  asm volatile("lidt %0" : : "m"(idtr));
}

void set_kernel_stack(void* top) { tss.esp0 = static_cast<u32>(reinterpret_cast<uintptr_t>(top)); }
