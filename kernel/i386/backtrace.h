// The chain of calls, with names. Stack frames are chained through ebp (-fno-omit-frame-pointer).
#pragma once

#include "kernel/i386/trap_frame.h"

struct task_struct;

// What stands where ebp points to.
struct stack_frame {
  u32 caller_frame;
  u32 return_address;
};

void print_registers(const trap_frame& registers);

// The kernel functions that a task is in, from the one that stands at `instruction` (0: unknown)
// and has the frame `frame_pointer`. Never faults, whatever the stack holds.
void print_backtrace(const task_struct& of, u32 instruction, u32 frame_pointer);

// The same of the program that the current task runs; names come from the program's file. Sleeps.
void print_user_backtrace(const trap_frame& registers);
