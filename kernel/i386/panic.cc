// hal/panic.h for the PC.
#include "hal/panic.h"

#include <array>
#include <cstdarg>

#include "drivers/char/console.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/power.h"
#include "kernel/i386/backtrace.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/panic.h"
#include "kernel/sched.h"
#include "lib/format.h"

namespace {

bool panicking = false;

// A panic inside a panic prints nothing: the printing itself may be what failed.
void begin_panic() {
  disable_interrupts();
  if (panicking) halt();
  panicking = true;
  console_panic();
}

[[noreturn]] void die(const char* message, const trap_frame& registers) {
  printk("\nPANIC: %s\nin task %d (%s)\n", message, current->pid, current->comm.data());
  print_registers(registers);
  print_backtrace(*current, registers.eip, registers.ebp);
  halt();
}

}  // namespace

// panic() itself is in traps.asm.
extern "C" [[noreturn]] void panic_at(const trap_frame& registers, const char* format,
                                      std::va_list arguments) {
  begin_panic();
  std::array<char, 256> message;
  format_to(message, format, arguments);
  die(message.data(), registers);
}

void panic_with_registers(const char* what, const trap_frame& registers) {
  begin_panic();
  die(what, registers);
}
