// The i386's part of kernel/user_mode.h and of the scheduler.
#include "kernel/user_mode.h"

#include <new>

#include "hal/irq.h"
#include "hal/panic.h"
#include "kernel/i386/descriptors.h"
#include "kernel/i386/trap_frame.h"
#include "kernel/sched.h"
#include "mm/address_space.h"

// traps.asm
extern "C" {
void switch_stacks(void** save_to, void* other);
[[noreturn]] void load_user_registers(trap_frame* registers);
void first_run_of_kernel_task();
void first_run_of_child();
void finish_trap(trap_frame& registers);
[[noreturn]] void run_kernel_task();
}

namespace {

// What switch_stacks takes off a stack.
struct switch_frame {
  u32 edi = 0, esi = 0, ebx = 0, ebp = 0;
  void (*return_to)() = nullptr;
};

// The registers of user mode stand at the very top of every kernel stack, where the processor and
// traps.asm push them.
trap_frame* top_frame(const task_struct& t) {
  return reinterpret_cast<trap_frame*>(stack_top(t)) - 1;
}

void begin_at(task_struct& t, void (*first_run)()) {
  auto* frame = new (reinterpret_cast<switch_frame*>(top_frame(t)) - 1) switch_frame;
  frame->return_to = first_run;
  t.stack_pointer = frame;
}

}  // namespace

void prepare_kernel_entry(task_struct& t, void (*body)(void*), void* argument) {
  t.kernel_body = body;
  t.kernel_argument = argument;
  begin_at(t, first_run_of_kernel_task);
}

extern "C" void run_kernel_task() {
  enable_interrupts();
  current->kernel_body(current->kernel_argument);
  end_kernel_task();
}

void prepare_fork_return(task_struct& child) {
  trap_frame* registers = new (top_frame(child)) trap_frame(*current->user_registers);
  registers->eax = 0;
  child.user_registers = registers;
  begin_at(child, first_run_of_child);
}

namespace {

trap_frame registers_of(const program_start& start) {
  trap_frame registers{};
  registers.ds = registers.es = registers.fs = registers.gs = registers.ss = user_data;
  registers.cs = user_code;
  registers.eip = start.instruction;
  registers.esp = start.stack;
  registers.eflags = interrupt_flag;
  return registers;
}

}  // namespace

void begin_program(const program_start& start) { *current->user_registers = registers_of(start); }

void enter_user_mode(const program_start& start) {
  trap_frame* top = new (top_frame(*current)) trap_frame(registers_of(start));
  current->kernel_body = nullptr;  // a process from now on
  current->user_registers = top;
  load_user_registers(top);
}

void begin_call_again(trap_frame& registers, u32 call) {
  if (registers.vector != system_call_vector) return;
  registers.eax = call;
  registers.eip -= 2;  // the length of `int 0x80`
}

u32 value_of_call(const trap_frame& registers) { return registers.eax; }

void switch_to(task_struct& next) {
  task_struct& previous = *current;
  current = &next;
  set_kernel_stack(stack_top(next));
  if (next.space)
    next.space->activate();
  else
    address_space::activate_kernel();
  switch_stacks(&previous.stack_pointer, next.stack_pointer);
}

void return_to_user(trap_frame& registers) {
  while (time_slice_is_over()) schedule();
  // An interrupted call is settled also when SIGCONT has taken the signal back.
  if (current->signal & ~current->blocked || current->interrupted_call) {
    enable_interrupts();
    do_signal(registers);
    disable_interrupts();
  }
}

extern "C" void finish_trap(trap_frame& registers) { return_to_user(registers); }
