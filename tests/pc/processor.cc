// The simulated PC's processor: interrupts, kernel stacks, and programs. Also the bodies of
// kernel/i386/descriptors.h, interrupts.h, and of the symbols of traps.asm.
//
// A program is a function of the test, on a stack of the host. It enters the kernel by trap(),
// which does what the processor and traps.asm do: the registers are stored at the top of the task's
// kernel stack, and handle_trap runs below them. Afterwards the registers say where the program
// goes on: at its own place, in a handler, or at the entry of another program.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <map>
#include <utility>

#include "hal/irq.h"
#include "kernel/i386/descriptors.h"
#include "kernel/i386/interrupts.h"
#include "kernel/sched.h"
#include "kernel/system_call.h"
#include "tests/pc/inside.h"
#include "tests/pc/mmu.h"
#include "tests/pc/user.h"

// traps.cc, task_switch.cc, processor.asm
extern "C" {
void handle_trap(trap_frame& registers);
void finish_trap(trap_frame& registers);
void call_on_stack(void* top, void (*function)(void*), void* argument);
[[noreturn]] void begin_child(trap_frame* registers);
[[noreturn]] void load_user_registers(trap_frame* registers);
alignas(16) byte boot_stack[KERNEL_STACK_SIZE];
}

namespace pc {

bool interrupts_enabled = false;
std::function<void()> at_next_mask;

namespace {

constexpr size_t PROGRAM_STACK = 256 * 1024;
constexpr u32 FIRST_PLACE = 0x6000'0000;  // of code without an address of its own
// The flags that a program can change (Intel SDM volume 1, 3.4.3).
constexpr u32 PROGRAM_FLAGS = 0x0DD5;
constexpr u32 INT_80 = 2;  // the length of the instruction

struct program_state {
  trap_frame registers{};
  byte* stack = nullptr;
};

void* tss_stack = nullptr;
std::map<const task_struct*, program_state> programs;  // stacks are used again
std::map<u32, code> codes;
u32 next_place = FIRST_PLACE;

program_state& program_of_current() {
  program_state& found = programs[current];
  if (!found.stack) {
    void* const memory = mmap(nullptr, PROGRAM_STACK, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for a program's stack");
    found.stack = static_cast<byte*>(memory);
  }
  return found;
}

// The handler's return: `ret` into its trampoline or restorer, whose system call follows. The other
// registers are what the handler has left there.
void return_from_handler(const trap_frame& at_entry) {
  trap_frame& r = registers();
  r.esp = at_entry.esp;
  r.eflags = (at_entry.eflags & ~PROGRAM_FLAGS) | (r.eflags & PROGRAM_FLAGS);
  r.eip = user::get<u32>(r.esp) + 8;
  r.esp += 2 * sizeof(u32);  // the return address, and the signal (pop eax)
  r.eax = static_cast<u32>(abi::syscall::sigreturn);
  trap(system_call_vector);
}

void run_handler(const code& handler) {
  const trap_frame at_entry = registers();
  EXPECT_EQ((at_entry.esp + 4) % 16, 0u) << "the stack of a handler is not aligned";
  handler.body(user::get<u32>(at_entry.esp + sizeof(u32)));
  return_from_handler(at_entry);
}

void run_code(u32 address) {
  const auto found = codes.find(address);
  if (found == codes.end()) fail("a program goes on where no code is");
  const code there = found->second;
  if (!there.is_program) return run_handler(there);
  there.body(0);
  user::exit(0);
}

}  // namespace

byte* kernel_stack_top() { return stack_top(*current); }

trap_frame& registers() { return program_of_current().registers; }

void forget_programs() {
  codes.clear();
  next_place = FIRST_PLACE;
  interrupts_enabled = false;
  at_next_mask = nullptr;
}

u32 place_code(code what, u32 address) {
  const u32 at = address ? address : next_place += 16;
  codes[at] = std::move(what);
  return at;
}

void trap(u32 vector, u32 error_code) {
  if (!interrupts_enabled) fail("a program runs with interrupts masked");
  if (tss_stack != kernel_stack_top()) fail("the processor was not told of the kernel stack");
  program_state& program = program_of_current();
  program.registers.vector = vector;
  program.registers.error_code = error_code;
  interrupts_enabled = false;
  auto* const frame = reinterpret_cast<trap_frame*>(kernel_stack_top()) - 1;
  *frame = program.registers;
  call_on_stack(
      frame, [](void* at) { handle_trap(*static_cast<trap_frame*>(at)); }, frame);
  if (interrupts_enabled) fail("the kernel was left with interrupts enabled");
  if (!mmu::tlb_is_true()) fail("a page can be reached that the page tables do not show any more");
  program.registers = *frame;
  interrupts_enabled = true;
}

void go_on(u32 home) {
  while (registers().eip != home) {
    if (registers().eip != home - INT_80) {
      run_code(registers().eip);
    } else {
      registers().eip = home;
      trap(system_call_vector);
    }
  }
}

}  // namespace pc

extern "C" {

void load_user_registers(trap_frame* registers) {
  pc::program_state& program = pc::program_of_current();
  program.registers = *registers;
  pc::interrupts_enabled = true;
  call_on_stack(
      program.stack + pc::PROGRAM_STACK, [](void*) { pc::go_on(0); }, nullptr);
  pc::fail("a program has returned to nowhere");
}

void begin_child(trap_frame* registers) {
  finish_trap(*registers);
  load_user_registers(registers);
}

}  // extern "C"

// --- kernel/i386/descriptors.h, interrupts.h, hal/irq.h ---

void set_kernel_stack(void* top) { pc::tss_stack = top; }

void enable_interrupts() { pc::interrupts_enabled = true; }
void disable_interrupts() { pc::interrupts_enabled = false; }
bool interrupts_are_enabled() { return pc::interrupts_enabled; }
void wait_for_interrupt() {
  pc::timer_tick();
  pc::interrupts_enabled = true;
}

irq_guard::irq_guard() : were_enabled_(interrupts_are_enabled()) {
  if (were_enabled_ && pc::at_next_mask) std::exchange(pc::at_next_mask, nullptr)();
  disable_interrupts();
}
irq_guard::~irq_guard() {
  if (were_enabled_) enable_interrupts();
}
