#include "kernel/out_of_memory.h"

#include <algorithm>

#include "hal/clock.h"
#include "hal/log.h"
#include "hal/memory.h"
#include "kernel/sched.h"
#include "mm/address_space.h"

namespace {

constexpr duration patience = 1_s, step = 10_ms;

constexpr u32 kill_bit = 1u << (abi::sigkill - 1);

// SIGKILL is pending, and it has not given its memory back.
bool is_being_ended(const task_struct& t) {
  return t.space && (t.signal & kill_bit) != 0 && t.space->present_pages() > 0;
}

u32 processes_being_ended() {
  return static_cast<u32>(
      std::ranges::count_if(task, [](const task_struct* t) { return t && is_being_ended(*t); }));
}

// Waits until one of them is gone. False: there is none, or none has gone.
bool wait_for_an_end() {
  const u32 before = processes_being_ended();
  const instant end = now() + patience;
  while (before > 0 && now() < end) {
    if (processes_being_ended() < before) return true;
    sleep_for(step);
  }
  return false;
}

// One that blocks SIGKILL is exiting already, or it is ending the machine (sys_reboot).
bool may_be_ended(const task_struct& t) {
  return t.space && t.pid != 1 && !is_being_ended(t) && (t.blocked & kill_bit) == 0;
}

task_struct* largest_process() {
  task_struct* largest = nullptr;
  u32 most = 0;
  for (task_struct* t : task) {
    if (!t || !may_be_ended(*t)) continue;
    const u32 pages = t->space->present_pages();
    if (pages > most) largest = t, most = pages;
  }
  return largest;
}

}  // namespace

bool end_largest_process() {
  if (is_being_ended(*current)) return false;
  if (wait_for_an_end()) return true;
  if (is_being_ended(*current)) return false;  // by another one that waited as well
  task_struct* const largest = largest_process();
  if (!largest) return false;
  printk("out of memory: %s (pid %d) has %u KiB and is ended\n", largest->comm.data(), largest->pid,
         largest->space->present_pages() * (PAGE_SIZE / 1024));
  force_signal(*largest, abi::sigkill);
  if (largest == current) return false;
  wait_for_an_end();
  return true;
}
