// The simulated PC: kernel/ and mm/ in a program of 32 bits, with other bodies for the machine.
//
//   pc::machine machine;
//   machine.run([] {                              // the program of process 1
//     const int child = user::fork([] { user::exit(7); });
//     EXPECT_EQ(user::wait(), child);
//   });
//
// - What is real: all of the kernel but the few instructions of kernel/i386/ that C++ cannot
//   express, the drivers of the PC's devices, and boot/. The tasks run on their own kernel stacks
//   of KERNEL_STACK_SIZE, the scheduler is kernel/sched.cc, the root disk is a MINIX file system.
// - What is simulated: physical memory and page tables (mmu.h), the clock, which moves when all
//   tasks sleep and when a program computes, and the programs: functions of the tests, which
//   enter the kernel by traps (user.h).
// - A machine is a freshly booted kernel, as in tests/sim/kernel_state.h. One machine at a time.
// - A panic fails the test and ends run.
// - After the program has returned, run looks for what is left behind: processes, pages, open
// files,
//   references to inodes.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "lib/time.h"
#include "lib/types.h"
#include "mm/page.h"

namespace pc {

struct settings {
  u32 pages = 1536;                           // of memory
  std::span<const memory_range> ranges = {};  // which of it may be used; empty: all above 1 MiB
  u32 kernel_end = 0x10'0000;                 // the first address behind the kernel
  const char* options = "";      // of the kernel, besides those that keep its tables small
  duration time_limit = 7200_s;  // a test that takes longer fails
  bool expect_panic = false;     // a panic is what the test is about
  bool audit = true;             // look for what is left behind
};

class machine {
 public:
  explicit machine(const settings& chosen = {});
  ~machine();
  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;

  // Boots, and runs `program` in process 1. Returns when it has returned.
  void run(std::function<void()> program);
  // Runs `body` without tasks, with nothing ready but memory: for tests of mm/.
  void run_bare(const std::function<void()>& body);

  bool panicked() const;
  const std::string& panic_message() const;
  // "off", "restart" or "halt" when the kernel has ended the machine.
  const std::string& power() const;
};

// --- inside run ---

// What the kernel has written to the serial line.
const std::string& console();
// The next timer interrupts, as they come in the middle of the kernel.
void tick(u32 count = 1);
// The timer has come to the next tick, but its interrupt still waits, because interrupts are
// masked.
void delay_tick();
// Memory for the kernel: `pages` stay free, the others are taken until release_memory.
void leave_free_pages(u32 pages);
void release_memory();
// The program that /sbin/init is: called at the start of process 1 and whenever it is begun again.
void set_init(std::function<void()> program);
// Looks at the page tables of all processes; also done when the program has returned.
void expect_sound_pages();
// Ends run at once, without an audit.
[[noreturn]] void end_test();

}  // namespace pc
