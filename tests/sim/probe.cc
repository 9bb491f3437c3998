// The search for lost wake-ups (scheduler.h, Lost wake-ups).
#include <gtest/gtest.h>
#include <sanitizer/common_interface_defs.h>

#include <array>
#include <utility>

#include "fs/checkpoint/region.h"
#include "tests/sim/irq.h"
#include "tests/sim/sleeps.h"
#include "tests/sim/world_state.h"

extern "C" byte kernel_state_start[], kernel_state_end[];

namespace sim {

namespace {

// Whether the queue is one of the product's variables. Others may have died with the test's body.
bool lasts(const wait_queue& queue) {
  const auto* at = reinterpret_cast<const byte*>(&queue);
  return at >= kernel_state_start && at < kernel_state_end;
}

// A sleep that is not probed: reserve_room flushes a volume each time before it waits again, and
// that is an effect although its event has not come.
bool is_left_alone(const wait_queue& queue) { return &queue == &checkpoint::room_made(); }

}  // namespace

std::string place_of(const void* return_address) {
  std::array<char, 512> text{};
  auto* const call = static_cast<const char*>(return_address) - 1;
  __sanitizer_symbolize_pc(const_cast<char*>(call), "%f %S", text.data(), text.size());
  return text.data();
}

std::vector<wait_place> world::waits() const {
  std::vector<wait_place> places;
  for (const auto& [site, count] : state_->waits)
    places.push_back({place_of(site), count.sleeps, count.crowded, count.probes});
  return places;
}

void world::state::note_wait(const task_struct& task) {
  wait_count& count = waits[task.site];
  ++count.sleeps;
  if (task.queue->waiters.size() > 1) ++count.crowded;
}

// Wakes a sleeper without an event, and lets it run alone. It must look again, find that it has
// nothing to do, and sleep on in the same place. Then its sleep is made as it was before: its
// deadline and its place in the queue.
void world::state::probe(task_struct& task) {
  if (chosen.plain_sleeps || irq_expected > 0 || stopped || task.state != fiber_state::asleep ||
      !task.queue)
    return;
  if ((!tests_running() && !lasts(*task.queue)) || is_left_alone(*task.queue)) return;
  wait_queue* const queue = task.queue;
  waiter* const behind = queue->waiters.next(*task.standing);
  const instant deadline = task.deadline, since = task.asleep_since;
  const void* const site = task.site;
  const size_t said = console.size();
  wait_count counted = waits[site];
  ++counted.probes;
  wake(task, wake_reason::woken);
  ready.clear();
  const auto no_step = std::exchange(before_mask, nullptr);  // nothing happens during a probe
  const auto no_return = std::exchange(after_sleep, nullptr);
  switch_to(task);
  before_mask = no_step;
  after_sleep = no_return;
  if (stopped) return;
  const bool sleeps_on = task.state == fiber_state::asleep && task.queue == queue &&
                         task.site == site && ready.empty() && console.size() == said;
  if (!sleeps_on)
    return fail("lost wake-up: " + task.name + " slept in " + place_of(site) +
                ", although what it waited for had come\n" + describe_fibers());
  waits[site] = counted;
  queue->waiters.remove(*task.standing);
  queue->waiters.insert_before(behind, *task.standing);
  task.deadline = deadline;
  task.asleep_since = since;
}

// No fiber can go on without the clock, which is going to move to `next`: a fiber whose time is
// over then must have missed nothing. Of the others one is looked at each time, or all.
void world::state::probe_before(instant next) {
  const size_t count = fibers.size();
  const size_t turn = next_probe++ % count;
  const bool all = chosen.probe_all || time < probe_all_until;
  for (size_t i = 0; i < count && !stopped; ++i)
    if (all || i == turn || fibers[i]->deadline <= next) probe(*fibers[i]);
}

void probe_all_for(duration span) {
  world::state& s = state_here();
  s.probe_all_until = s.time + span;
}

void world::state::probe_all() {
  for (size_t i = 0; i < fibers.size() && !stopped; ++i) probe(*fibers[i]);
}

}  // namespace sim
