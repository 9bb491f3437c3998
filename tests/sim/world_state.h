// The state of a world. For tests/sim only; tests use scheduler.h.
#pragma once

#include <map>

#include "hal/irq.h"
#include "tests/sim/fiber.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace sim {

struct irq_line {
  irq_handler handler;
  void* argument;
  bool level;
};

struct wait_count {
  u64 sleeps = 0;
  u64 crowded = 0;  // sleeps on a queue on which another task slept already
  u64 probes = 0;
};

struct world::state {
  explicit state(const settings& s) : chosen(s), random(s.seed), time{0}, memory(s.pages) {}

  settings chosen;
  std::mt19937_64 random;
  instant time;
  physical_memory memory;

  std::vector<std::unique_ptr<task_struct>> fibers;
  std::vector<task_struct*> ready;
  task_struct* current = nullptr;  // null: the scheduler itself
  int next_pid = 1;
  u64 turns_at_this_time = 0;
  bool task_table_is_full = false;
  const char* left_open = nullptr;  // why there is no audit (audit.h)
  bool stopped = false;             // a panic or a deadlock: nothing runs any more

  left_stack own_stack;  // the host's, on which run() was called

  // The sleeps of this world, by place; and the fiber that is probed next.
  std::map<const void*, wait_count> waits;
  size_t next_probe = 0;
  instant probe_all_until{};

  std::multimap<u8, irq_line> irq_handlers;
  u32 irq_raised = 0;    // lines whose handlers have yet to run
  u32 irq_levels = 0;    // lines that are raised until their device lowers them
  u32 irq_masked = 0;    // lines that no handler has claimed for too long
  u32 irq_expected = 0;  // interrupts that the hardware holds back for a while
  bool in_interrupt = false;
  std::function<void(const void*)> before_mask;
  std::function<void(const void*, instant)> after_sleep;

  std::string console;
  bool panicked = false;
  std::string panic_message;
  int failures_before = 0;  // of the gtest test, when the world began

  task_struct& add_fiber(const char* name, bool is_test, std::function<void()> body);
  void make_ready(task_struct& task);
  void wake(task_struct& task, wake_reason reason);
  void switch_to(task_struct& task);
  // Switches to the scheduler. Returns when the fiber is chosen again; with `forever` it never is.
  void switch_away(bool forever = false);
  task_struct* choose();
  void note_wait(const task_struct& task);
  // probe.cc
  void probe(task_struct& task);
  void probe_before(instant next);
  void probe_all();
  bool advance_clock(instant limit);
  void run_ready();
  bool tests_running() const;
  void deliver_interrupts();
  bool run_handlers(u8 line);
  void serve_level(u8 line);
  void fail(const std::string& what);
  std::string describe_fibers() const;
};

// The state of the world that is running; ends the program when there is none.
world::state& state_here();
bool inside_world();

}  // namespace sim
