// What is told of a double fault: see double_fault.h.
#include "kernel/i386/double_fault.h"

#include "hal/log.h"
#include "hal/paging.h"
#include "kernel/i386/kernel_map.h"
#include "kernel/i386/panic.h"

void double_fault() {
  const trap_frame registers = registers_at_double_fault();
  const bool overflow = is_in_guard_page(faulting_address());
  printk("double fault: esp %08x, page fault at address %08x\n", registers.esp, faulting_address());
  panic_with_registers(overflow ? "the kernel stack has overflowed" : "double fault", registers);
}
