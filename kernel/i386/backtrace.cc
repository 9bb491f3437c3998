#include "kernel/i386/backtrace.h"

#include "hal/log.h"
#include "kernel/i386/symbols.h"
#include "kernel/sched.h"
#include "mm/layout.h"

namespace {

constexpr int MAX_FRAMES = 24;

bool is_on_stack(const task_struct& t, u32 frame) {
  const u32 bottom = virtual_address(t.kernel_stack);
  return frame % 4 == 0 && frame >= bottom &&
         frame <= bottom + KERNEL_STACK_SIZE - sizeof(stack_frame);
}

void print_address(u32 address) {
  const symbol found = find_symbol(address);
  if (found.name.empty())
    printk("  %08x\n", address);
  else
    printk("  %08x %.*s+0x%x\n", address, static_cast<int>(found.name.size()), found.name.data(),
           found.offset);
}

}  // namespace

void print_registers(const trap_frame& r) {
  printk("eax %08x  ebx %08x  ecx %08x  edx %08x\n", r.eax, r.ebx, r.ecx, r.edx);
  printk("esi %08x  edi %08x  ebp %08x  esp %08x\n", r.esi, r.edi, r.ebp,
         r.from_user() ? r.esp : virtual_address(&r.esp));
  printk("eip %08x  cs %04x  eflags %08x", r.eip, r.cs & 0xFFFF, r.eflags);
  if (r.vector != trap_frame::no_vector) printk("  vector %u  error %x", r.vector, r.error_code);
  printk("\n");
}

void print_backtrace(const task_struct& of, u32 instruction, u32 frame_pointer) {
  if (instruction) print_address(instruction);
  for (int i = 0; i < MAX_FRAMES && is_on_stack(of, frame_pointer); ++i) {
    const auto& frame = *reinterpret_cast<const stack_frame*>(frame_pointer);
    if (frame.return_address == 0) break;
    print_address(frame.return_address - 1);
    if (frame.caller_frame <= frame_pointer) break;  // callers stand higher
    frame_pointer = frame.caller_frame;
  }
}
