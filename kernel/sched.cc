// schedule, sleep_on, wake_up, do_timer: the book's kernel/sched.c.
#include "kernel/sched.h"

#include <algorithm>
#include <new>
#include <span>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"

// head.asm; the stack that boot runs on becomes task 0's.
extern "C" byte boot_stack[];

namespace {

// A driver's task runs shortly, and other tasks wait for it.
constexpr i32 kernel_task_priority = 30;

task_struct idle_task;
// The tasks in the task array, except task 0, so that schedule need not look at its empty places.
constinit intrusive_list<task_struct, &task_struct::live> live_tasks{};
int last_pid = 0;
bool need_resched = false;

bool is_idle(const task_struct& t) { return &t == &idle_task; }

// Every task but task 0, in the order of their starts. The action may release its task.
template <class Action>
void for_each_task(Action action) {
  for (task_struct* t = live_tasks.front(); t;) {
    task_struct* next = live_tasks.next(*t);
    action(*t);
    t = next;
  }
}

// The ready task with the most ticks left, or task 0.
task_struct& most_deserving() {
  task_struct* best = &idle_task;
  i32 most = -1;
  for_each_task([&](task_struct& t) {
    if (t.state == task_state::running && t.counter > most) {
      best = &t;
      most = t.counter;
    }
  });
  return *best;
}

// New ticks for all tasks. A sleeping task keeps half of its unused ticks, and so gets a higher
// counter than a task that has used its own.
void recharge() {
  for_each_task([](task_struct& t) { t.counter = t.counter / 2 + t.priority; });
}

task_struct& choose_next() {
  task_struct* next = &most_deserving();
  if (!is_idle(*next) && next->counter <= 0) {
    recharge();
    next = &most_deserving();
  }
  return *next;
}

bool pid_is_free(int pid) {
  bool free = true;
  for_each_task([&](const task_struct& t) {
    if (t.pid == pid || t.pgrp == pid || t.session == pid) free = false;
  });
  return free;
}

int next_pid() {
  do {
    last_pid = last_pid < 30'000 ? last_pid + 1 : 1;
  } while (!pid_is_free(last_pid));
  return last_pid;
}

// A kernel task has no father that waits for it.
void release_ended_kernel_tasks() {
  for_each_task([](task_struct& t) {
    if (t.state == task_state::zombie && t.kernel_body && &t != current) release(t);
  });
}

wake_reason sleep(wait_queue& queue, instant deadline, task_state how) {
  irq_guard masked;
  if (how == task_state::interruptible && signal_pending()) return wake_reason::signalled;
  if (deadline != never && deadline <= now()) return wake_reason::timed_out;
  if (is_idle(*current)) panic("task 0 may not sleep");

  waiter self{.task = current, .link = {}};
  queue.waiters.push_front(self);
  current->sleeping_on = &queue;
  current->wake_at = deadline;
  current->state = how;
  schedule();
  if (self.link.linked()) queue.waiters.remove(self);
  current->sleeping_on = nullptr;
  current->wake_at = never;
  return current->woken_by;
}

}  // namespace

std::array<task_struct*, NR_TASKS + NR_KERNEL_TASKS> task;
task_struct* current = &idle_task;
volatile u32 jiffies = 0;

void sched_init() {
  std::ranges::copy(std::string_view("idle"), idle_task.comm.begin());
  idle_task.state = task_state::running;
  idle_task.kernel_stack = boot_stack;
  task[0] = &idle_task;
}

void schedule() {
  kassert(!interrupts_are_enabled());
  need_resched = false;
  task_struct& next = choose_next();
  if (&next != current) switch_to(next);
}

bool time_slice_is_over() { return need_resched || current->counter <= 0; }

void may_sleep() { kassert(interrupts_are_enabled()); }

void give_way() {
  may_sleep();
  const irq_guard masked;
  while (time_slice_is_over()) schedule();
}

void idle() {
  while (true) {
    release_ended_kernel_tasks();
    disable_interrupts();
    schedule();
    wait_for_interrupt();
  }
}

namespace {

// In one of these places of the task array.
result<task_struct*> make_task(std::span<task_struct*> places, std::string_view name) {
  release_ended_kernel_tasks();
  const auto slot = std::ranges::find(places, nullptr);
  if (slot == places.end()) return fail(error::eagain);
  const auto stack = allocate_kernel_stack(static_cast<u32>(&*slot - task.data()));
  if (stack.empty()) return fail(error::enomem);

  auto* t = new (stack.data() + TASK_STRUCT_PLACE) task_struct;
  t->kernel_stack = stack.data();
  t->state = task_state::uninterruptible;
  t->pid = next_pid();
  std::ranges::copy(name.substr(0, t->comm.size() - 1), t->comm.begin());
  const irq_guard masked;  // do_timer goes through the list
  *slot = t;
  live_tasks.push_back(*t);
  return t;
}

void forget(task_struct& t) {
  const irq_guard masked;
  *std::ranges::find(task, &t) = nullptr;
  live_tasks.remove(t);
}

}  // namespace

result<task_struct*> create_task(std::string_view name) {
  return make_task(std::span(task).first(NR_TASKS), name);
}

void start_task(task_struct& t) {
  t.counter = t.priority;
  t.state = task_state::running;
}

void release(task_struct& t) {
  kassert(&t != current && !t.space);
  forget(t);
  const std::span<byte> stack(t.kernel_stack, KERNEL_STACK_SIZE);
  t.~task_struct();
  free_kernel_stack(stack);
}

result<void> kernel_task(const char* name, void (*body)(void*), void* argument) {
  task_struct* t = TRY(make_task(std::span(task).subspan(NR_TASKS), name));
  t->priority = kernel_task_priority;
  prepare_kernel_entry(*t, body, argument);
  start_task(*t);
  return {};
}

void end_kernel_task() {
  disable_interrupts();
  current->state = task_state::zombie;
  schedule();
  panic("a task that had ended was scheduled");
}

task_struct* current_task() { return current; }
int current_pid() { return current->pid; }

void yield() {
  irq_guard masked;
  current->counter = 0;
  schedule();
}

wake_reason sleep_on(wait_queue& queue, instant deadline) {
  return sleep(queue, deadline, task_state::uninterruptible);
}

wake_reason sleep_on(wait_queue& queue) { return sleep_on(queue, never); }

wake_reason interruptible_sleep_on(wait_queue& queue, instant deadline) {
  return sleep(queue, deadline, task_state::interruptible);
}

void wake_sleepers(wait_queue& queue) {
  irq_guard masked;
  while (waiter* sleeper = queue.waiters.pop_front()) wake_task(*sleeper->task, wake_reason::woken);
}

void wake_task(task_struct& t, wake_reason why) {
  kassert(!interrupts_are_enabled());
  if (why == wake_reason::woken) t.woken_by = why;  // counts even if a deadline has just passed
  if (t.state != task_state::interruptible && t.state != task_state::uninterruptible) return;
  t.woken_by = why;
  t.state = task_state::running;
  if (t.counter > current->counter) need_resched = true;
}

void sleep_for(duration time) {
  wait_queue nobody_wakes;
  const instant end = now() + time;
  while (now() < end) sleep_on(nobody_wakes, end);
}

void do_timer(bool user_mode) {
  jiffies = jiffies + 1;
  ++(user_mode ? current->user_ticks : current->system_ticks);
  if (current->counter > 0) --current->counter;

  const instant time = now();
  for_each_task([&](task_struct& t) {
    if (t.wake_at <= time) wake_task(t, wake_reason::timed_out);
    if (t.alarm <= time) {
      t.alarm = never;
      send_signal(t, abi::sigalrm);
    }
  });
}
