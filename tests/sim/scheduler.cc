#include "tests/sim/scheduler.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "tests/sim/at_rest.h"
#include "tests/sim/audit.h"
#include "tests/sim/kernel_state.h"
#include "tests/sim/world_state.h"

namespace sim {
namespace {

constexpr u64 most_turns_at_one_time = 200'000;

world* running_world = nullptr;

std::vector<std::unique_ptr<stack>>& free_stacks() {
  static std::vector<std::unique_ptr<stack>> stacks;
  return stacks;
}

stack* take_stack() {
  auto& stacks = free_stacks();
  if (stacks.empty()) return new stack;
  stack* taken = stacks.back().release();
  stacks.pop_back();
  // A fiber that still sleeps at the end of its world has left red zones on its stack.
  forget_red_zones(taken->base(), stack::size);
  return taken;
}

void give_back_stack(task_struct& task) {
  if (task.memory) free_stacks().emplace_back(task.memory);
  task.memory = nullptr;
}

void fiber_main() {
  world::state& s = state_here();
  stack_has_begun(s.own_stack);
  task_struct& self = *s.current;
  self.body();
  self.body = nullptr;
  self.state = fiber_state::ended;
  wake_up(self.end);
  s.switch_away(true);
}

int failures_so_far() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return test ? test->result()->total_part_count() : 0;
}

void print_how_to_repeat(u64 seed) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  if (!test) return;
  std::fprintf(stderr, "again: REPLUG_SEED=%llu build/host/replug_tests --gtest_filter=%s.%s\n",
               static_cast<unsigned long long>(seed), test->test_suite_name(), test->name());
}

}  // namespace

stack::stack() {
  constexpr size_t guard = 4096;
  void* memory = mmap(nullptr, guard + size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) std::abort();
  base_ = static_cast<byte*>(memory) + guard;
}

stack::~stack() { munmap(base_ - 4096, 4096 + size); }

// --- fibers ---

task_struct& world::state::add_fiber(const char* name, bool is_test, std::function<void()> body) {
  auto task = std::make_unique<task_struct>();
  task->name = name;
  task->pid = next_pid++;
  task->is_test = is_test;
  task->body = std::move(body);
  task->memory = take_stack();
  make_stack(task->left, task->memory->base(), stack::size, fiber_main);
  ready.push_back(task.get());
  fibers.push_back(std::move(task));
  return *fibers.back();
}

void world::state::make_ready(task_struct& task) {
  task.state = fiber_state::ready;
  ready.push_back(&task);
}

void world::state::wake(task_struct& task, wake_reason reason) {
  task.reason = reason;
  if (task.queue) task.queue->waiters.remove(*task.standing);
  task.queue = nullptr;
  task.deadline = never;
  make_ready(task);
}

void world::state::switch_to(task_struct& task) {
  task.state = fiber_state::running;
  current = &task;
  switch_stack(own_stack, task.left);
  current = nullptr;
  if (task.state == fiber_state::ended) give_back_stack(task);
}

void world::state::switch_away(bool forever) { switch_stack(current->left, own_stack, forever); }

// --- the scheduler ---

task_struct* world::state::choose() {
  if (ready.empty()) return nullptr;
  const size_t index = chosen.seed == 0 ? 0 : random() % ready.size();
  task_struct* next = ready[index];
  ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(index));
  return next;
}

// Moves the clock to the next deadline and wakes the fibers with that deadline. False if there is
// no deadline up to `limit`.
bool world::state::advance_clock(instant limit) {
  instant next = never;
  for (const auto& task : fibers)
    if (task->state == fiber_state::asleep) next = std::min(next, task->deadline);
  if (next == never || next > limit) return false;
  probe_before(next);
  if (stopped) return false;
  look_at_rest();
  time = std::max(time, next);
  turns_at_this_time = 0;
  for (const auto& task : fibers)
    if (task->state == fiber_state::asleep && task->deadline <= time)
      wake(*task, wake_reason::timed_out);
  return true;
}

void world::state::run_ready() {
  while (!stopped) {
    deliver_interrupts();
    task_struct* next = choose();
    if (!next) return;
    switch_to(*next);
    if (++turns_at_this_time > most_turns_at_one_time)
      fail("livelock: the fibers go on without the time passing\n" + describe_fibers());
  }
}

bool world::state::tests_running() const {
  return std::any_of(fibers.begin(), fibers.end(), [](const auto& task) {
    return task->is_test && task->state != fiber_state::ended;
  });
}

void world::state::fail(const std::string& what) {
  stopped = true;
  ADD_FAILURE() << what;
}

std::string world::state::describe_fibers() const {
  std::ostringstream text;
  for (const auto& task : fibers) {
    if (task->state == fiber_state::ended) continue;
    text << "  " << task->pid << " " << task->name << (task->is_test ? "" : " (kernel task)");
    if (task->state != fiber_state::asleep)
      text << ": ready";
    else
      text << ": asleep on queue " << static_cast<const void*>(task->queue)
           << (task->interruptible ? ", interruptible" : "");
    if (task->deadline != never) text << ", until " << task->deadline.ns << " ns";
    text << "\n";
  }
  return text.str();
}

world::world(const settings& settings) : state_(std::make_unique<state>(settings)) {
  if (running_world) {
    std::fprintf(stderr, "sim: two worlds at a time\n");
    std::abort();
  }
  restore_kernel_state();
  running_world = this;
  state_->failures_before = failures_so_far();
}

world::~world() {
  if (failures_so_far() == state_->failures_before) audit(*this);
  const bool failed = failures_so_far() > state_->failures_before;
  if (failed) {
    std::fprintf(stderr, "--- console ---\n%s---------------\n", state_->console.c_str());
    print_how_to_repeat(state_->chosen.seed);
  }
  for (auto& task : state_->fibers) give_back_stack(*task);
  running_world = nullptr;
}

void world::run(std::function<void()> body) {
  state& s = *state_;
  s.add_fiber("test", true, std::move(body));
  const instant limit = instant{0} + s.chosen.time_limit;
  for (s.run_ready(); !s.stopped && s.tests_running(); s.run_ready()) {
    if (s.advance_clock(limit)) continue;
    s.probe_all();
    if (s.stopped) return;
    const bool too_late = s.advance_clock(instant{never.ns - 1});
    s.fail(
        (too_late ? "not over within the time limit:\n" : "deadlock: nobody can run any more:\n") +
        s.describe_fibers());
  }
  s.probe_all();
}

void world::run_for(duration time) {
  state& s = *state_;
  const instant end = s.time + time;
  for (s.run_ready(); !s.stopped && s.advance_clock(end);) s.run_ready();
  s.time = std::max(s.time, end);
}

bool world::panicked() const { return state_->panicked; }
const std::string& world::panic_message() const { return state_->panic_message; }
const std::string& world::console() const { return state_->console; }
void world::clear_console() { state_->console.clear(); }
u64 world::seed() const { return state_->chosen.seed; }

std::vector<std::string> world::kernel_tasks() const {
  std::vector<std::string> names;
  for (const auto& task : state_->fibers)
    if (!task->is_test && task->state != fiber_state::ended) names.push_back(task->name);
  std::sort(names.begin(), names.end());
  return names;
}

world::state& state_here() { return here().inside(); }
bool inside_world() { return running_world != nullptr; }

world& here() {
  if (!running_world) {
    std::fprintf(stderr, "sim: this needs a world (tests/sim/scheduler.h)\n");
    std::abort();
  }
  return *running_world;
}

fiber spawn(const char* name, std::function<void()> body) {
  return fiber(state_here().add_fiber(name, true, std::move(body)));
}

fiber daemon(const char* name, std::function<void()> body) {
  return fiber(state_here().add_fiber(name, false, std::move(body)));
}

void in_parallel(u32 count, const std::function<void(u32)>& body) {
  std::vector<fiber> fibers;
  for (u32 index = 0; index < count; ++index)
    fibers.push_back(spawn("parallel", [&body, index] { body(index); }));
  for (const fiber& each : fibers) each.join();
}

void fiber::join() const {
  while (!ended()) sleep_on(task_->end);
}
bool fiber::ended() const { return task_->state == fiber_state::ended; }
bool fiber::asleep() const { return task_->state == fiber_state::asleep; }

void fiber::signal() const {
  task_->signal = true;
  if (asleep() && task_->interruptible) state_here().wake(*task_, wake_reason::signalled);
}

void fill_task_table() { state_here().task_table_is_full = true; }
void forget_signal() {
  state_here().current->signal = false;
  state_here().current->sleeps_to_signal = 0;
}
void signal_at_sleep(u32 nth) { state_here().current->sleeps_to_signal = nth; }

std::mt19937_64& random() { return state_here().random; }
u64 random_below(u64 limit) { return random()() % limit; }
bool random_chance(u32 one_in) { return random_below(one_in) == 0; }

must_not_sleep::must_not_sleep() { ++state_here().current->must_not_sleep; }
must_not_sleep::~must_not_sleep() { --state_here().current->must_not_sleep; }

u64 seed_or(u64 otherwise) {
  const char* text = std::getenv("REPLUG_SEED");
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

void for_each_seed(u64 count, const std::function<void(u64)>& test, u64 first) {
  if (std::getenv("REPLUG_SEED")) return test(seed_or(first));
  const int before = failures_so_far();
  for (u64 seed = first; seed < first + count && failures_so_far() == before; ++seed) test(seed);
}

void run(u64 seed, std::function<void()> body) {
  world world({.seed = seed_or(seed)});
  world.run(std::move(body));
}

}  // namespace sim
