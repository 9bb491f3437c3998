// The simulated machine's processor: fibers instead of tasks, a seeded scheduler, a clock that
// moves only when every fiber sleeps.
//
//   sim::world world({.seed = 7});
//   world.run([] {                               // the fiber "test"
//     auto writer = sim::spawn("writer", [] { … sleep_on(…) … });
//     sleep_for(1_s);
//     writer.join();
//   });
//
// - One world at a time. A new world is a freshly booted kernel: the product's variables hold what
//   they held when the program started (kernel_state.h), all memory is free, the time is 0.
// - The kernel is never preempted: a fiber runs until it sleeps, yields or ends. Which one runs
//   next is drawn with the seed; the same seed gives the same run. Seed 0 takes them in turn.
// - run() returns when every fiber that the test spawned has ended and no fiber can go on without
// the
//   clock. Kernel tasks may sleep on. If no fiber can ever run again before that, the test fails
//   with a list of the sleeping fibers. It also fails when the simulated time or the number of
//   turns exceeds its limit.
// - Lost wake-ups: when no fiber can go on without the clock, sleepers are probed. A probe wakes
//   one without an event. Kernel code looks again after every sleep (hal/wait.h), so it must go
//   back to sleep in the same place, without any effect. If it goes on, its event had come and had
//   not woken it: the test fails. Probed are sleepers whose deadline ends their sleep, all at the
//   end of run(), and one more in turn (probe_all: all of them) each time that the clock moves.
// - A panic fails the test; nothing runs in that world from then on.
// - When a world in which something failed ends, it prints its console and how to run it again.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "hal/task.h"
#include "hal/wait.h"
#include "lib/time.h"
#include "lib/types.h"

namespace sim {

struct settings {
  u64 seed = 1;
  duration tick{};                    // deadlines are met at multiples of this; 0: exactly
  u32 pages = 16384;                  // of memory
  duration time_limit = 1'000'000_s;  // the test fails when it is not over by then
  bool expect_panic = false;          // a panic is what the test is about
  bool probe_all = false;             // every sleeper, each time the clock moves
  bool plain_sleeps = false;          // the test sleeps without looking again: nothing is probed
};

// A fiber that the test has spawned. Copies are the same fiber; valid as long as its world.
class fiber {
 public:
  explicit fiber(task_struct& task) : task_(&task) {}
  void join() const;  // sleeps until it has ended; from inside the world
  bool ended() const;
  bool asleep() const;
  void signal() const;  // signal_pending() for it until it calls forget_signal
  task_struct& task() const { return *task_; }

 private:
  task_struct* task_;
};

// A place in the code at which tasks have slept.
struct wait_place {
  std::string where;  // function, file:line
  u64 sleeps;
  u64 crowded;  // sleeps beside another task on the same queue
  u64 probes;
};

class world {
 public:
  explicit world(const settings& settings);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  void run(std::function<void()> body);
  // Goes on for some time after run: only kernel tasks run.
  void run_for(duration time);

  bool panicked() const;
  const std::string& panic_message() const;
  // The text of printk so far; clear_console makes it empty.
  const std::string& console() const;
  void clear_console();
  u64 seed() const;
  std::vector<wait_place> waits() const;
  // Kernel tasks that have not ended, by name.
  std::vector<std::string> kernel_tasks() const;

  struct state;
  state& inside() const { return *state_; }

 private:
  std::unique_ptr<state> state_;
};

// --- for code that runs inside a world ---

world& here();
fiber spawn(const char* name, std::function<void()> body);
// Like spawn, but run() does not wait for its end: for simulated hardware and its driver.
fiber daemon(const char* name, std::function<void()> body);
// Runs `count` fibers side by side and returns when all have ended.
void in_parallel(u32 count, const std::function<void(u32 index)>& body);
void forget_signal();
// The current fiber gets a signal when it is about to sleep interruptibly for the n-th time from
// now on; a sleep that follows ends at once, as behind any signal.
void signal_at_sleep(u32 nth);
// From now on the table of tasks is full, and kernel_task fails with eagain.
void fill_task_table();
std::mt19937_64& random();
u64 random_below(u64 limit);  // 0 … limit - 1
bool random_chance(u32 one_in);
// Fails the test, as a panic does, when the current fiber sleeps during its lifetime.
class [[nodiscard]] must_not_sleep {
 public:
  must_not_sleep();
  ~must_not_sleep();
  must_not_sleep(const must_not_sleep&) = delete;
  must_not_sleep& operator=(const must_not_sleep&) = delete;
};

// --- for tests ---

// Calls `test` for each of `count` seeds, from `first` on, until one fails; if REPLUG_SEED is set,
// only for that seed.
void for_each_seed(u64 count, const std::function<void(u64 seed)>& test, u64 first = 1);
// A new world with this seed, one run in it.
void run(u64 seed, std::function<void()> body);
// The seed that REPLUG_SEED gives, or `otherwise`.
u64 seed_or(u64 otherwise);

}  // namespace sim
