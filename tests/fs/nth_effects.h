// What a call has done whose n-th thing failed (nth_fault_sweep_test.cc): success means all of it,
// an error means nothing of it. "All of it" is known from a run without a fault.
#pragma once

#include "tests/fs/nth_calls.h"
#include "tests/fs/tree.h"

namespace sim {

struct nth_effect {
  tree before, after;  // of /mnt, around a call that succeeds
};

// The tree of /mnt without the filler.
tree tree_of_calls(session& process, u32 since);

// Makes the call in a world of its own, so outside of any other world.
const nth_effect& effect_of(const nth_call& call);

// Lets time pass, so that times of the call can be told from older ones; returns the time.
u32 begin_timed_call();

// After the call; nothing fails any more.
void judge_effect(const nth_call& call, const nth_effect& effect, bool succeeded, const tree& seen);
// After the call was made again, if it had failed.
void judge_end(const nth_call& call, const nth_effect& effect, bool succeeded, const tree& seen);

}  // namespace sim
