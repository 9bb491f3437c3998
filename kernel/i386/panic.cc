// hal/panic.h for the PC.
#include "hal/panic.h"

#include <array>
#include <cstdarg>

#include "drivers/char/console.h"
#include "hal/log.h"
#include "kernel/i386/backtrace.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/panic.h"
#include "kernel/i386/power.h"
#include "kernel/sched.h"
#include "lib/format.h"

namespace {

bool panicking = false;

// A panic inside a panic says no more: what it prints may be what fails.
void begin_panic() {
  disable_interrupts();
  if (panicking) halt();
  panicking = true;
  console_panic();
}

void say_where() { printk("in task %d (%s)\n", current->pid, current->comm.data()); }

}  // namespace

void panic(const char* format, ...) {
  begin_panic();
  std::array<char, 256> message;
  std::va_list arguments;
  va_start(arguments, format);
  format_to(message, format, arguments);
  va_end(arguments);
  printk("\nPANIC: %s\n", message.data());
  say_where();
  print_backtrace(*current, 0,
                  static_cast<u32>(reinterpret_cast<uintptr_t>(__builtin_frame_address(0))));
  halt();
}

void panic_with_registers(const char* what, const trap_frame& registers) {
  begin_panic();
  printk("\nPANIC: %s\n", what);
  say_where();
  print_registers(registers);
  print_backtrace(*current, registers.eip, registers.ebp);
  halt();
}
