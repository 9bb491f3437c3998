// What portable code may ask about tasks.
#pragma once

#include "lib/result.h"

struct task_struct;  // kernel/sched.h; portable code only passes it around

// Starts a task that lives in the kernel and shares its address space. It ends when `body` returns.
// `name` must outlive it. Errors: eagain when the task table is full, enomem.
result<void> kernel_task(const char* name, void (*body)(void* argument), void* argument);

// The task that runs now.
task_struct* current_task();
int current_pid();
// Whether a signal waits for the current task that it neither blocks nor ignores.
bool signal_pending();

// Lets other tasks run that are ready; sleeps for no longer than their turns.
void yield();
