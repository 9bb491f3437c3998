// Tasks and the scheduler (the book's sched.c): which task runs, which sleeps, and for how long.
//
// One CPU; the kernel is never preempted: a task runs in the kernel until it sleeps or returns to
// user mode, where do_timer takes the processor away when its counter is used up.
#pragma once

#include <array>
#include <string_view>

#include "fs/fs.h"
#include "hal/kernel_stack.h"
#include "hal/task.h"
#include "hal/wait.h"
#include "lib/abi.h"
#include "lib/intrusive_list.h"
#include "lib/time.h"

class address_space;
struct trap_frame;  // kernel/i386/trap_frame.h

constexpr u32 HZ = 100;
constexpr u32 NR_TASKS = 64;  // processes, and the idle task
// The kernel's own tasks: process 1, which begins as one; replugd; for each xHCI controller one,
// and one for each of its ports.
constexpr u32 NR_KERNEL_TASKS = 128;
constexpr u32 NR_OPEN = 32;

enum class task_state : u8 { unused, running, interruptible, uninterruptible, zombie, stopped };

struct task_struct {
  task_state state = task_state::unused;
  i32 counter = 0;  // ticks left
  i32 priority = 15;
  int pid = 0, pgrp = 0, session = 0;
  task_struct* father = nullptr;
  bool leader = false;
  bool executed = false;  // it runs a program that was not its father's: its father's setpgid ends
  u32 exit_code = 0;
  std::array<char, 16> comm{};  // the program's name

  // sleeping
  const wait_queue* sleeping_on = nullptr;
  instant wake_at = never;
  wake_reason woken_by = wake_reason::woken;

  // signals: bit n-1 is signal n
  u32 signal = 0, blocked = 0;
  u32 forced = 0;  // of the pending ones those that take effect in process 1, too (force_signal)
  std::array<abi::sigaction, abi::nsig> sigaction{};
  instant alarm = never;
  instant sleep_end = never;  // of a nanosleep that is begun again after a stop
  u32 interrupted_call = 0;   // the system call that ended with eintr, until do_signal has seen it

  // files
  fs_context fs;
  std::array<file*, NR_OPEN> filp{};
  u32 close_on_exec = 0;

  // memory and processor
  address_space* space = nullptr;  // null for a kernel task
  program_ref executable;
  byte* kernel_stack = nullptr;
  void* stack_pointer = nullptr;  // saved by the switch
  trap_frame* user_registers = nullptr;
  void (*kernel_body)(void*) = nullptr;  // a kernel task's function
  void* kernel_argument = nullptr;
  u32 user_ticks = 0, system_ticks = 0;
  u32 child_user_ticks = 0, child_system_ticks = 0;  // of the children waited for
  wait_queue child_exited;

  list_link<task_struct> live;  // the tasks in the task array, except task 0
};

// A task_struct and its kernel stack share their pages, as in the book; but here it stands at their
// high end: a stack that grows too long meets the guard page, not the task_struct.
constexpr u32 TASK_STRUCT_PLACE = (KERNEL_STACK_SIZE - sizeof(task_struct)) & ~u32{15};
inline byte* stack_top(const task_struct& t) { return t.kernel_stack + TASK_STRUCT_PLACE; }

// The book's array; [0] is idle. The kernel's own tasks stand from [NR_TASKS] on: a table that is
// full of processes has room for them.
extern std::array<task_struct*, NR_TASKS + NR_KERNEL_TASKS> task;
extern task_struct* current;
extern volatile u32 jiffies;
static_assert(NR_TASKS + NR_KERNEL_TASKS <= KERNEL_STACK_PLACES);

void sched_init();

// A new process's task with its kernel stack, in the task array, with a pid and nothing else: the
// caller fills it in and starts it, or releases it. Errors: eagain when there are NR_TASKS, enomem.
result<task_struct*> create_task(std::string_view name);
void start_task(task_struct& t);
// Frees the task's slot and stack (the book's release); it must not be the current one, and its
// address space must be gone.
void release(task_struct& t);

// Chooses the next task and runs it. Interrupts are masked; the mask belongs to the task.
void schedule();
// Whether another task should have the processor when the current one returns to user mode.
bool time_slice_is_over();
// In the middle of a long system call, where the current task holds nothing that others wait for:
// lets them run when its time is over. May sleep.
void give_way();
// Makes a sleeping task ready; `why` is what its sleep returns. Does nothing when the task is
// awake. send_signal may call it only for an interruptible sleep. Interrupts are masked.
void wake_task(task_struct& t, wake_reason why);
[[noreturn]] void end_kernel_task();
// Task 0's function, without end: waits for interrupts while no other task is ready.
[[noreturn]] void idle();
// The timer interrupt: HZ times a second. user_mode: it interrupted a process, not the kernel.
void do_timer(bool user_mode);

// The machine's part (kernel/i386/task_switch.cc). switch_to gives the processor from the current
// task to `next`; only schedule calls it.
void switch_to(task_struct& next);
// When it is scheduled for the first time, the task calls body(argument) with interrupts enabled;
// when body returns it ends.
void prepare_kernel_entry(task_struct& t, void (*body)(void*), void* argument);

// Marks a signal for a task and wakes it when it sleeps interruptibly. Never sleeps.
void send_signal(task_struct& to, u32 signal);
// Sends a signal that takes effect also when it is blocked or ignored, then by its default action,
// and also in process 1. For a program's fault, which would happen again at once, for want of
// memory, and for the end of the machine.
void force_signal(task_struct& to, u32 signal);
// Delivers what is pending, on the way back to user mode; may not return (default action: exit).
void do_signal(trap_frame& registers);
[[noreturn]] void do_exit(u32 code);
