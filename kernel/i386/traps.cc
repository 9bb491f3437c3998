#include "kernel/i386/traps.h"

#include <array>

#include "hal/irq.h"
#include "hal/log.h"
#include "hal/paging.h"
#include "kernel/i386/backtrace.h"
#include "kernel/i386/descriptors.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/panic.h"
#include "kernel/i386/trap_frame.h"
#include "kernel/out_of_memory.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/system_call.h"
#include "kernel/user_mode.h"
#include "lib/bits.h"
#include "mm/address_space.h"

namespace {

struct exception {
  const char* name;
  u32 signal;
};

constexpr u32 page_fault = 14;

// Intel SDM volume 3, table 6-1.
constexpr std::array<exception, first_irq_vector> exceptions = {{
    {"division error", abi::sigfpe},
    {"debug exception", abi::sigtrap},
    {"non-maskable interrupt", abi::sigsegv},
    {"breakpoint", abi::sigtrap},
    {"overflow", abi::sigsegv},
    {"bound range exceeded", abi::sigsegv},
    {"invalid instruction", abi::sigill},
    {"floating point is not supported", abi::sigill},
    {"double fault", abi::sigsegv},
    {"coprocessor segment overrun", abi::sigsegv},
    {"invalid task state segment", abi::sigsegv},
    {"segment not present", abi::sigbus},
    {"stack segment fault", abi::sigbus},
    {"general protection fault", abi::sigsegv},
    {"segmentation fault", abi::sigsegv},
    {"reserved exception", abi::sigsegv},
    {"floating point error", abi::sigfpe},
    {"misaligned access", abi::sigbus},
    {"machine check", abi::sigbus},
    {"SIMD floating point error", abi::sigfpe},
}};

const exception& exception_of(u32 vector) {
  static constexpr exception reserved{"reserved exception", abi::sigsegv};
  return exceptions[vector].name ? exceptions[vector] : reserved;
}

// The error code of a page fault.
using fault_by_write = field<1>;

bool user_mode_interrupted = false;

// The current program has faulted: prints what it did when the signal is going to end it.
void fault_of_program(const trap_frame& registers, const char* what, u32 signal, u32 address) {
  const u32 handler = current->sigaction[signal - 1].handler;
  const bool handled = handler != abi::sig_dfl && handler != abi::sig_ign &&
                       !(current->blocked & 1u << (signal - 1));
  // First, so that the names of functions are not waited for when their stick is away.
  force_signal(*current, signal);
  if (!handled) {
    printk("%s (pid %d): %s", current->comm.data(), current->pid, what);
    if (registers.vector == page_fault) printk(" at address %08x", address);
    printk("\n");
    print_registers(registers);
    print_user_backtrace(registers);
  }
}

void handle_page_fault(trap_frame& registers) {
  const u32 address = faulting_address();
  const bool by_kernel = !registers.from_user();
  const bool may_sleep = (registers.eflags & interrupt_flag) != 0;
  if (by_kernel && (!current->space || address >= KERNEL_BASE || !may_sleep)) {
    printk("page fault at address %08x\n", address);
    panic_with_registers("page fault in the kernel", registers);
  }

  enable_interrupts();
  const bool write = fault_by_write::in(registers.error_code);
  const result<void> outcome =
      with_memory([&] { return current->space->handle_fault(address, write); });
  if (!outcome) {
    if (by_kernel) {
      printk("page fault at address %08x of the program\n", address);
      panic_with_registers("the kernel used an unchecked address", registers);
    }
    switch (outcome.error()) {
      case error::eintr: break;  // a signal came while the page was read; it is delivered next
      case error::enomem:
        fault_of_program(registers, "out of memory", abi::sigkill, address);
        break;
      case error::efault:
        fault_of_program(registers, "segmentation fault", abi::sigsegv, address);
        break;
      default: fault_of_program(registers, "its program cannot be read", abi::sigbus, address);
    }
  }
  disable_interrupts();
}

void handle_exception(trap_frame& registers) {
  if (registers.vector == page_fault) return handle_page_fault(registers);
  const exception& what = exception_of(registers.vector);
  if (!registers.from_user()) panic_with_registers(what.name, registers);
  enable_interrupts();
  fault_of_program(registers, what.name, what.signal, 0);
  disable_interrupts();
}

// The number is in eax, the arguments are in ebx, ecx, edx, esi and edi; the value goes to eax. The
// call may change all registers: execve, sigreturn.
void enter_system_call(trap_frame& r) {
  const i32 value = system_call(r.eax, {r.ebx, r.ecx, r.edx, r.esi, r.edi});
  r.eax = static_cast<u32>(value);
}

}  // namespace

bool interrupted_user_mode() { return user_mode_interrupted; }

extern "C" void handle_trap(trap_frame& registers) {
  const bool from_user = registers.from_user();
  if (from_user) current->user_registers = &registers;

  if (registers.vector == system_call_vector) {
    enable_interrupts();
    enter_system_call(registers);
    disable_interrupts();
  } else if (registers.vector >= first_irq_vector) {
    user_mode_interrupted = from_user;
    handle_irq(static_cast<u8>(registers.vector - first_irq_vector));
  } else {
    handle_exception(registers);
  }

  // No program may run in virtual-8086 mode, but QEMU's iret enters it at a program's wish, where
  // the processor would not (Intel SDM volume 2, IRET: only at privilege level 0). It is ended.
  if (registers.virtual_8086()) force_signal(*current, abi::sigkill);
  if (from_user) return_to_user(registers);
}
