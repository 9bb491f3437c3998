// What the parts of the simulated PC tell each other. For tests/pc only.
#pragma once

#include <functional>
#include <string_view>

#include "kernel/i386/trap_frame.h"
#include "lib/types.h"
#include "tests/pc/machine.h"

namespace pc {

// machine.cc
[[noreturn]] void stop_machine();          // leaves run
[[noreturn]] void fail(const char* what);  // the test fails; leaves run
[[noreturn]] void end_power(const char* how);
void timer_tick();  // in the middle of the kernel
extern bool interrupts_enabled;
// Called once, before a task masks interrupts the next time: the last moment at which one can come.
extern std::function<void()> at_next_mask;

// ports.cc
void forget_console();
// On the serial line, by its interrupt handler; what the machine echoes is not shown.
void type_unseen(std::string_view keys);

// processor.cc
void forget_programs();
byte* kernel_stack_top();
// The registers of the program that the current task runs.
trap_frame& registers();
// Enters the kernel as the processor does, on the task's kernel stack.
void trap(u32 vector, u32 error_code = 0);
// Goes on where the registers point to, through handlers and system calls that are begun again,
// until they point to `home`.
void go_on(u32 home);

struct code {
  std::function<void(u32)> body;
  bool is_program = false;  // it does not return to a caller
};
// Puts code at an address, or at a new one (0).
u32 place_code(code what, u32 address = 0);

}  // namespace pc
