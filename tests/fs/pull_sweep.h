// The experiment behind the pull sweep: a small workload on a stick, pulled at a chosen step,
// brought back, unmounted – and what an independent reader finds on the medium then.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/fs/pull_waits.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/xhci/machine.h"
#include "tests/sim/xhci/mischief.h"

namespace sim {

// Whether another stick with the same descriptors is plugged in before the right one: none; one
// with a file system of another geometry; one of the same geometry with other files.
enum class other_stick { none, another_shape, same_shape };

// What the processes do.
enum class workload : u8 {
  everything,
  create,
  write,
  append,
  overwrite,
  mkdir,
  rmdir,
  unlink,
  link,
  rename,
  truncate,
  sync,
  two_processes,
};
constexpr size_t workloads = 13;
const char* name_of(workload what);

// What the kernel is doing with the stick at a step.
enum class phase : u8 { enumeration, port_reset, working, flush, verify, replay };
constexpr size_t phases = 6;
const char* name_of(phase now);

// A stick behind a simulated controller; it comes back in return_port, then in `port` again.
struct usb_setup {
  hc::controller_settings controller;
  u32 port = 1, return_port = 1;
  mischief trouble{};
};

// What is done to the stick, and how.
struct pull_plan {
  u64 seed = 1;
  u64 first_pull = 0;   // the step of the workload to pull at; 0: not at all
  u64 second_pull = 0;  // then the step of what follows the return (reads count there too)
  pull_style style;
  other_stick first = other_stick::none;
  u32 writers = 1;          // fibers that work at the same time
  bool large_file = false;  // more dirty blocks than buffers and slots: forced writes
  bool flush_lies = false;  // the stick acknowledges flushes that it does not do
  bool ask_fsck = false;    // fsck.minix judges too
  bool starved = false;     // from the first pull on no memory is given out and no task is made
  workload what = workload::everything;
  std::optional<usb_setup> usb{};  // none: a block device without USB
};

struct pull_outcome {
  std::vector<std::string> complaints;  // empty: nothing was lost, and nothing else was wrong
  u64 steps = 0;                        // of the whole run, where a pull makes a difference
  u64 steps_before_return = 0;          // when the stick was first plugged in again
  u64 steps_of_return = 0;              // of verification and replay after the first pull
  std::vector<medium::step_record> trace;
  longest_wait waited;        // of its pulls
  u32 commands_verified = 0;  // writes of replays that were looked at
  std::string story;          // the console, and the last commands of the stick
  std::string complaint_text() const;
};

// The longest that a task may wait for a stick that was pulled. Without interrupts the driver looks
// at its events every 50 ms, and it needs several of them: that of the port, and those of the
// commands that stop the endpoints and disable the slot.
constexpr duration longest_wait_with_interrupts = 10_ms, longest_wait_without = 200_ms;

// Runs the experiment in a world of its own.
pull_outcome run_with_pulls(const pull_plan& plan);

std::string describe(const pull_plan& plan);

}  // namespace sim
