// The host's hal/wait.h, hal/task.h, hal/clock.h and hal/irq.h.
#include "hal/wait.h"

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/may_sleep.h"
#include "hal/panic.h"
#include "hal/task.h"
#include "tests/sim/irq.h"
#include "tests/sim/sleeps.h"
#include "tests/sim/world_state.h"

using sim::state_here;

namespace {

// Every simulated machine boots at 2026-01-01 00:00:00 UTC.
constexpr u32 boot_time = 1'767'225'600;

instant rounded_up(instant deadline) {
  const i64 tick = state_here().chosen.tick.ns;
  if (tick == 0 || deadline == never) return deadline;
  return {(deadline.ns + tick - 1) / tick * tick};
}

// `site`: the address behind the call of sleep_on.
wake_reason sleep_until(wait_queue* queue, instant deadline, bool interruptible, const void* site) {
  sim::world::state& s = state_here();
  if (s.in_interrupt) panic("sleep in an interrupt handler");
  if (!s.current) panic("sleep outside of a task");
  task_struct& self = *s.current;
  if (self.must_not_sleep) panic("%s sleeps where it must not", self.name.c_str());
  if (interruptible && self.sleeps_to_signal && --self.sleeps_to_signal == 0) self.signal = true;
  if (interruptible && self.signal) return wake_reason::signalled;
  if (deadline <= s.time && queue) return wake_reason::timed_out;

  waiter standing{&self, {}};
  if (queue) queue->waiters.push_back(standing);
  self.queue = queue;
  self.standing = &standing;
  self.site = site;
  self.asleep_since = s.time;
  self.deadline = rounded_up(deadline);
  self.interruptible = interruptible;
  self.state = sim::fiber_state::asleep;
  if (!self.has_slept) {
    self.has_slept = true;
    self.first_queue = queue;
    self.first_sleep_had_deadline = deadline != never;
  }
  if (queue) s.note_wait(self);
  s.switch_away();
  if (queue && s.after_sleep) s.after_sleep(site, self.asleep_since);
  return self.reason;
}

}  // namespace

wake_reason sleep_on(wait_queue& queue, instant deadline) {
  return sleep_until(&queue, deadline, false, __builtin_return_address(0));
}

wake_reason sleep_on(wait_queue& queue) {
  return sleep_until(&queue, never, false, __builtin_return_address(0));
}

wake_reason interruptible_sleep_on(wait_queue& queue, instant deadline) {
  return sleep_until(&queue, deadline, true, __builtin_return_address(0));
}

// The rule of hal/wait.h: had the interrupt come between the sleeper's last look and its sleep, the
// sleeper would not have been on the queue.
static void expect_masked_sleep(const task_struct& sleeper) {
  sim::world::state& s = state_here();
  if (s.in_interrupt && sleeper.interrupts_enabled)
    s.fail("an interrupt handler wakes " + sleeper.name + ", which looked without an irq_guard");
}

void wake_sleepers(wait_queue& queue) {
  while (waiter* latest = queue.waiters.back()) {
    expect_masked_sleep(*latest->task);
    state_here().wake(*latest->task, wake_reason::woken);
  }
}

void sleep_for(duration time) { (void)sleep_until(nullptr, now() + time, false, nullptr); }

// --- hal/task.h ---

result<void> kernel_task(const char* name, void (*body)(void*), void* argument) {
  if (state_here().task_table_is_full) return fail(error::eagain);
  sim::daemon(name, [=] { body(argument); });
  return {};
}

task_struct* current_task() { return state_here().current; }

int current_pid() {
  const task_struct* self = current_task();
  return self ? self->pid : 0;
}

bool signal_pending() {
  const task_struct* self = current_task();
  return self && self->signal;
}

void yield() {
  sim::world::state& s = state_here();
  if (s.current->must_not_sleep) panic("%s yields where it must not", s.current->name.c_str());
  s.make_ready(*s.current);
  s.switch_away();
}

// --- hal/may_sleep.h ---

void may_sleep() {
  const task_struct* self = current_task();
  kassert(!state_here().in_interrupt && (!self || self->interrupts_enabled));
}

// --- hal/clock.h ---

instant now() { return state_here().time; }
u32 boot_date() { return boot_time; }
u32 current_time() { return boot_time + static_cast<u32>(now().ns / 1'000'000'000); }

// --- hal/irq.h ---

irq_guard::irq_guard() {
  task_struct* self = current_task();
  were_enabled_ = self && self->interrupts_enabled;
  if (were_enabled_ && state_here().before_mask && !state_here().in_interrupt)
    state_here().before_mask(__builtin_return_address(0));
  if (self) self->interrupts_enabled = false;
}

irq_guard::~irq_guard() {
  task_struct* self = current_task();
  if (!self) return;
  self->interrupts_enabled = were_enabled_;
  if (were_enabled_) state_here().deliver_interrupts();
}

result<void> request_irq(u8 line, bool level, irq_handler handler, void* argument) {
  if (line > 15 || (level && !can_be_level_triggered(line))) return fail(error::einval);
  state_here().irq_handlers.emplace(line, sim::irq_line{handler, argument, level});
  if (sim::irqs_are_enabled()) state_here().deliver_interrupts();  // it may be raised already
  return {};
}

namespace sim {

void after_each_sleep(std::function<void(const void*, instant)> action) {
  state_here().after_sleep = std::move(action);
}

void before_each_mask(std::function<void(const void*)> action) {
  state_here().before_mask = std::move(action);
}

void expect_irq() { ++state_here().irq_expected; }
void forget_irq() { --state_here().irq_expected; }

void raise_irq(u8 line) {
  world::state& s = state_here();
  s.irq_raised |= 1u << line;
  if (irqs_are_enabled()) s.deliver_interrupts();
}

void drive_irq(u8 line, bool raised) {
  world::state& s = state_here();
  s.irq_levels = (s.irq_levels & ~(1u << line)) | (raised ? 1u << line : 0);
  if (raised && irqs_are_enabled()) s.deliver_interrupts();
}

bool irq_is_masked(u8 line) { return state_here().irq_masked >> line & 1; }

bool irqs_are_enabled() {
  const world::state& s = state_here();
  return !s.in_interrupt && (!s.current || s.current->interrupts_enabled);
}

bool irq_is_claimed(u8 line) {
  world::state& s = state_here();
  s.in_interrupt = true;
  const bool claimed = s.run_handlers(line);
  s.in_interrupt = false;
  return claimed;
}

irq_users users_of_irq(u8 line) {
  irq_users users{};
  const auto [first, last] = state_here().irq_handlers.equal_range(line);
  for (auto at = first; at != last; ++at) {
    ++users.all;
    users.level_triggered += at->second.level;
  }
  return users;
}

// An interrupt that comes while the current fiber masks them waits until the fiber unmasks them or
// sleeps.
void world::state::deliver_interrupts() {
  if (in_interrupt) return;
  in_interrupt = true;
  for (u8 line = 0; irq_raised != 0; line = static_cast<u8>((line + 1) % 16)) {
    if (!(irq_raised >> line & 1)) continue;
    irq_raised &= ~(1u << line);
    run_handlers(line);
  }
  for (u8 line = 0; line < 16; ++line) serve_level(line);
  in_interrupt = false;
}

bool world::state::run_handlers(u8 line) {
  bool claimed = false;
  const auto [first, last] = irq_handlers.equal_range(line);
  for (auto at = first; at != last; ++at) claimed |= at->second.handler(at->second.argument);
  return claimed;
}

// A line without a handler is masked in the interrupt controller.
void world::state::serve_level(u8 line) {
  constexpr u32 most = 10'000;
  if (!(irq_levels >> line & 1) || !irq_handlers.contains(line)) return;
  u32 unclaimed = 0, claimed = 0;
  while (irq_levels >> line & ~(irq_masked >> line) & 1) {
    if (run_handlers(line))
      ++claimed, unclaimed = 0;
    else if (++unclaimed == most)
      irq_masked |= 1u << line;
    if (claimed == most) {
      irq_masked |= 1u << line;
      fail("an interrupt line stays raised, although its handler claims it");
    }
  }
}

}  // namespace sim
