#include "tests/sim/audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <sstream>

#include "drivers/block/block_device.h"
#include "tests/sim/blocks.h"
#include "tests/sim/kernel_state.h"
#include "tests/sim/world_state.h"

namespace sim {
namespace {

constexpr duration patience = 2000_s;  // of simulated time, for closing

std::vector<audited*>& parts() {
  static std::vector<audited*> all;
  return all;
}

std::vector<supply*>& supplies() {
  static std::vector<supply*> all;
  return all;
}

std::vector<std::string> findings;

struct {
  u64 worlds = 0;
  std::map<std::string, u32> left_open;
} covered;
constexpr u64 least_worlds = 23'900;  // of all tests, in the short form

// Prints what was audited when all tests have ended; tests/run_host_tests adds up its shares.
class summary final : public ::testing::Environment {
  void TearDown() override {
    u64 open = 0;
    for (const auto& [why, count] : covered.left_open) {
      std::printf("coverage: audit: left open %u times: %s\n", count, why.c_str());
      open += count;
    }
    std::printf("coverage: audit: %llu worlds closed and looked at, %llu left open\n",
                static_cast<unsigned long long>(covered.worlds),
                static_cast<unsigned long long>(open));
    std::printf("floor: audited_worlds %llu %llu\n",
                static_cast<unsigned long long>(covered.worlds),
                static_cast<unsigned long long>(least_worlds));
  }
};
[[maybe_unused]] const auto* const registered =
    ::testing::AddGlobalTestEnvironment(new summary);  // GoogleTest deletes it

// Whether a task waits for its next work, on the queue on which it slept first; or works by the
// clock, in its first sleep and in this one.
bool is_idle(const task_struct& task) {
  if (task.state == fiber_state::ended) return true;
  if (task.state != fiber_state::asleep) return false;
  return task.deadline == never ? task.queue == task.first_queue : task.first_sleep_had_deadline;
}

bool all_idle(const world::state& s) {
  return std::ranges::all_of(
      s.fibers, [&](const auto& task) { return task.get() == s.current || is_idle(*task); });
}

void wait_until_idle(const world::state& s) {
  const instant deadline = s.time + patience;
  for (duration pause = 1_ms; s.time < deadline; pause = std::min(pause + pause, 1_s)) {
    sleep_for(pause);
    if (all_idle(s)) return;
  }
}

void for_each_part(void (audited::*step)()) {
  for (audited* each : parts()) (each->*step)();
}

void close(const world::state& s) {
  for_each_part(&audited::unmount);
  for_each_part(&audited::unplug);
  wait_until_idle(s);
  for_each_part(&audited::give_up);
  wait_until_idle(s);
}

void check_tasks(const world::state& s) {
  for (const auto& task : s.fibers) {
    if (task.get() == s.current || task->state == fiber_state::ended) continue;
    if (!is_idle(*task))
      left_behind("task " + std::to_string(task->pid) + " \"" + task->name +
                  "\" sleeps where it does not wait for work" +
                  (task->deadline == never ? ", without a deadline" : ""));
    if (task->must_not_sleep) left_behind("task \"" + task->name + "\" may still not sleep");
  }
}

void check_supplies(world& ended) {
  std::vector<u32> counts;
  ended.run([&] {
    for (supply* each : supplies()) counts.push_back(each->count());
  });
  if (ended.inside().stopped) return;
  // What is left of this world is not used from here on, so its kernel can be booted again. Its
  // sleepers may not look at the new one: they are not probed.
  if (std::ranges::any_of(supplies(), [](const supply* s) { return s->of_a_fresh_kernel == 0; })) {
    ended.inside().chosen.plain_sleeps = true;
    restore_kernel_state();
    ended.run([&] {
      for (supply* each : supplies()) each->of_a_fresh_kernel = each->count();
    });
  }
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != supplies()[i]->of_a_fresh_kernel)
      left_behind(std::to_string(supplies()[i]->of_a_fresh_kernel - counts[i]) + " " +
                  supplies()[i]->what());
}

// A device whose driver takes no request.
class idle_disk final : public block_device {
 public:
  idle_disk() { identity.sectors = 1u << 20; }
  u32 queued = 0;

 private:
  void request_fn() override { ++queued; }
};

class request_supply final : public supply {
 public:
  request_supply() : supply("requests of the block layer") {}
  u32 count() override {
    std::list<idle_disk> disks;  // one request each: the number that one disk may hold is limited
    std::list<test_block> blocks;
    bool over = false;
    const fiber asking = spawn("asking", [&] {
      while (!over) blocks.emplace_back(u8{0}).start(disks.emplace_back(), block_command::read, 0);
    });
    while (!asking.asleep()) yield();
    over = true;
    u32 free = 0;
    for (idle_disk& each : disks) free += each.queued;
    for (idle_disk& each : disks) each.die();
    asking.join();
    return free;
  }
};
request_supply requests;

}  // namespace

audited::audited() { parts().push_back(this); }
audited::~audited() { std::erase(parts(), this); }
supply::supply(const char* what) : what_(what) { supplies().push_back(this); }

void left_behind(const std::string& what) { findings.push_back(what); }
void leave_open(const char* why) { state_here().left_open = why; }

void let_tasks_begin() {
  const auto waits_for_it = [](const auto& task) {
    return !task->is_test && !task->has_slept && task->state != fiber_state::ended;
  };
  while (std::ranges::any_of(state_here().fibers, waits_for_it)) yield();
}

void audit(world& ended) {
  world::state& s = ended.inside();
  const char* open = s.chosen.expect_panic ? "a panic is expected" : s.left_open;
  if (open) ++covered.left_open[open];
  if (open || s.stopped) return;
  ++covered.worlds;
  findings.clear();
  s.memory.refuse_none();
  s.task_table_is_full = false;
  s.chosen.time_limit = s.time - instant{0} + (patience + patience + patience);
  const std::string console = s.console;
  for_each_part(&audited::end_trouble);
  ended.run([&] {
    close(s);
    check_tasks(s);
    for_each_part(&audited::check);
    for (const std::string& piece : s.memory.not_given_back()) left_behind(piece);
  });
  if (!s.stopped) check_supplies(ended);
  for_each_part(&audited::put_back);
  s.console = console + "--- the audit ---\n" + s.console.substr(console.size());
  if (findings.empty()) return;
  std::ostringstream text;
  for (const std::string& each : findings) text << "  " << each << "\n";
  ADD_FAILURE() << "left behind at the end of the world:\n" << text.str();
}

}  // namespace sim
