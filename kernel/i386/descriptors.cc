#include "kernel/i386/descriptors.h"

#include <array>

#include "hal/paging.h"
#include "kernel/i386/double_fault.h"
#include "mm/layout.h"

namespace {

constexpr u32 double_fault_vector = 8;

struct segment_descriptor {
  u32 low, high;
};

// 4 GiB from address 0, in 4 KiB units (Intel SDM volume 3, 3.4.5).
constexpr segment_descriptor flat_segment(u32 type, u32 privilege) {
  return {0x0000FFFF, 0x00CF9000 | privilege << 13 | type << 8};
}
constexpr u32 type_code = 0xA, type_data = 0x2;

// A task state segment (7.2.1).
struct task_state_segment {
  u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3;
  u32 eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
  u32 es, cs, ss, ds, fs, gs, ldt;
  u16 trap, io_map_base;
};
static_assert(sizeof(task_state_segment) == 104);

struct gate_descriptor {
  u16 offset_low, selector, attributes, offset_high;
};

// An interrupt gate: interrupts are masked on entry (6.11). `privilege` 3 lets programs call it.
gate_descriptor interrupt_gate(const void* entry, u32 privilege) {
  const u32 offset = virtual_address(entry);
  return {static_cast<u16>(offset), kernel_code, static_cast<u16>(0x8E00 | privilege << 13),
          static_cast<u16>(offset >> 16)};
}

// A task gate: the processor saves all registers in the current task state segment and takes those
// of the one that the gate names, its stack included (7.2.5).
constexpr gate_descriptor task_gate(u16 selector) { return {0, selector, 0x8500, 0}; }

std::array<segment_descriptor, 7> gdt = {{
    {0, 0},
    flat_segment(type_code, 0),
    flat_segment(type_data, 0),
    flat_segment(type_code, 3),
    flat_segment(type_data, 3),
    {0, 0},  // the task state segments
    {0, 0},
}};
std::array<gate_descriptor, 256> idt;
task_state_segment tss, double_fault_tss;
alignas(16) std::array<byte, 8192> double_fault_stack;

struct [[gnu::packed]] table_register {
  u16 limit;
  const void* base;
};

segment_descriptor descriptor_of(const task_state_segment& segment) {
  const u32 base = virtual_address(&segment);
  return {base << 16 | (sizeof(segment) - 1), (base & 0xFF00'0000) | 0x8900 | (base >> 16 & 0xFF)};
}

// The registers with which a double fault is reported: interrupts masked, the kernel's own page
// directory, a stack that is in any case there.
void prepare_double_fault() {
  task_state_segment& t = double_fault_tss;
  t.cr3 = physical_address(kernel_page_directory);
  t.eip = virtual_address(reinterpret_cast<const void*>(double_fault));
  t.eflags = 1 << 1;  // always set
  t.esp = virtual_address(double_fault_stack.data() + double_fault_stack.size());
  t.cs = kernel_code;
  t.es = t.ss = t.ds = t.fs = t.gs = kernel_data;
  t.io_map_base = sizeof(t);
  gdt[double_fault_selector / 8] = descriptor_of(t);
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
  gdt[task_state_selector / 8] = descriptor_of(tss);
  prepare_double_fault();
  load_segments();
  asm volatile("ltr %0" : : "r"(task_state_selector));

  for (u32 vector = 0; vector < first_irq_vector + 16; ++vector) {
    const bool for_programs = vector == 3 || vector == 4;  // int3, into
    idt[vector] = interrupt_gate(trap_entries[vector], for_programs ? 3 : 0);
  }
  idt[double_fault_vector] = task_gate(double_fault_selector);
  idt[system_call_vector] = interrupt_gate(system_call_entry, 3);
  const table_register idtr{sizeof(idt) - 1, idt.data()};
  asm volatile("lidt %0" : : "m"(idtr));
}

void set_kernel_stack(void* top) { tss.esp0 = virtual_address(top); }

trap_frame registers_at_double_fault() {
  trap_frame r{};
  r.gs = tss.gs, r.fs = tss.fs, r.es = tss.es, r.ds = tss.ds;
  r.edi = tss.edi, r.esi = tss.esi, r.ebp = tss.ebp;
  r.ebx = tss.ebx, r.edx = tss.edx, r.ecx = tss.ecx, r.eax = tss.eax;
  r.vector = double_fault_vector;
  r.eip = tss.eip, r.cs = tss.cs, r.eflags = tss.eflags;
  r.esp = tss.esp, r.ss = tss.ss;
  return r;
}
