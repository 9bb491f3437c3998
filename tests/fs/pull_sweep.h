// The experiment behind the pull sweep: a small workload on a stick, pulled at a chosen step,
// brought back, unmounted – and what an independent reader finds on the medium then.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_disk.h"

namespace sim {

// Another stick that says the same of itself and is plugged in before the right one: not at all;
// one with a file system of another shape; one with a file system of the same shape and other
// files.
enum class other_stick { none, another_shape, same_shape };

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
};

struct pull_outcome {
  std::vector<std::string> complaints;  // empty: nothing was lost, and nothing else was wrong
  u64 steps = 0;                        // of the whole run, where a pull makes a difference
  u64 steps_before_return = 0;          // when the stick was first plugged in again
  u64 steps_of_return = 0;              // of verification and replay after the first pull
  u32 commands_verified = 0;            // writes of replays that were looked at
  std::string story;                    // the console, and the last commands of the stick
  std::string complaint_text() const;
};

// Runs the experiment in a world of its own.
pull_outcome run_with_pulls(const pull_plan& plan);

std::string describe(const pull_plan& plan);

}  // namespace sim
