// Where a task's kernel stack meets the processor: how a new task begins, and how the kernel is
// left for user mode. Everything that fork and exec must know of the i386; what the scheduler needs
// (switch_to) is declared in sched.h.
//
//   fork:  child = TRY(create_task(…)); …; prepare_fork_return(*child, *current->user_registers);
//          start_task(*child);
//   exec:  inside a system call: *current->user_registers = user_frame(entry, stack_pointer);
//   the first program, from a kernel task: enter_user_mode(user_frame(entry, stack_pointer));
#pragma once

#include "kernel/i386/trap_frame.h"

struct task_struct;

// When it is scheduled for the first time, the task returns to user mode with these registers, but
// eax = 0: fork's answer to the child.
void prepare_fork_return(task_struct& t, const trap_frame& parent);

// The registers of a program about to run its first instruction.
trap_frame user_frame(u32 entry, u32 stack_pointer);

// Leaves the kernel for user mode, on the current task's own, now empty, kernel stack. The task's
// address space must be set and active.
[[noreturn]] void enter_user_mode(const trap_frame& registers);

// Ends a system call, an interrupt or an exception that came from user mode: gives the processor
// away when the time slice is over and delivers signals.
void return_to_user(trap_frame& registers);
