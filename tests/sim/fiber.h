// task_struct on the host: a stack and a context to switch to. For tests/sim only; tests use
// scheduler.h.
#pragma once

#include <functional>
#include <string>

#include "hal/wait.h"
#include "lib/types.h"
#include "tests/sim/fiber_switch.h"

namespace sim {

// A piece of address space with a guard page below it. Stacks are used again, because making one
// takes longer than most fibers run.
class stack {
 public:
  stack();
  ~stack();
  stack(const stack&) = delete;
  stack& operator=(const stack&) = delete;
  byte* base() const { return base_; }
  static constexpr size_t size = 256 * 1024;

 private:
  byte* base_;
};

enum class fiber_state : u8 { ready, running, asleep, ended };

}  // namespace sim

struct task_struct {
  std::string name;
  int pid = 0;
  bool is_test = false;  // run() waits for its end
  std::function<void()> body;
  sim::fiber_state state = sim::fiber_state::ready;

  // sleeping
  wait_queue* queue = nullptr;
  waiter* standing = nullptr;
  const void* site = nullptr;  // where sleep_on was called
  instant asleep_since{};
  instant deadline = never;
  bool interruptible = false;
  wake_reason reason = wake_reason::woken;
  wait_queue end;

  // Where it slept first: a task that serves waits for its next work there.
  bool has_slept = false;
  bool first_sleep_had_deadline = false;
  const wait_queue* first_queue = nullptr;

  bool signal = false;
  u32 sleeps_to_signal = 0;  // it is sent at this interruptible sleep; 0: at none
  bool interrupts_enabled = true;
  u32 must_not_sleep = 0;

  sim::stack* memory = nullptr;
  sim::left_stack left;
};
