// Where the kernel meets user mode: how a program begins, how a child returns from fork, and how a
// system call is begun again. Everything that fork, exec and signals must know of the machine;
// kernel/i386/task_switch.cc carries it out. What the scheduler needs (switch_to) is declared in
// sched.h.
#pragma once

#include "lib/types.h"

struct task_struct;
struct trap_frame;  // kernel/i386/trap_frame.h

// What a program's first instruction finds.
struct program_start {
  u32 instruction, stack;  // user addresses
};

// When it is scheduled for the first time, the child returns to user mode with the registers of the
// current system call, but the call's value is 0: fork's answer to the child.
void prepare_fork_return(task_struct& child);

// exec: the current system call returns to the first instruction of the program.
void begin_program(const program_start& start);

// The first program: leaves the kernel for user mode, on the current task's own, now empty, kernel
// stack. The task's address space must be set and active.
[[noreturn]] void enter_user_mode(const program_start& start);

// Ends a system call, an interrupt or an exception that came from user mode: gives the processor
// away when the time slice is over and delivers signals.
void return_to_user(trap_frame& registers);

// The program makes the system call `call` once more when it goes on. Nothing changes when it was
// no system call that has entered the kernel.
void begin_call_again(trap_frame& registers, u32 call);
// The value that the system call returns, as the registers hold it.
u32 value_of_call(const trap_frame& registers);
