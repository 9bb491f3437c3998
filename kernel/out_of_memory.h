// Out of memory: room is made by ending the process that has the most pages. Nothing is swapped
// out, so no page of a program can be taken away from it.
//
// A process that touches its memory cannot be told that there is none. (A system call can: enomem.)
// Without a choice, the one that asks last would be ended, however small it is.
#pragma once

#include "lib/result.h"

// Ends the process that has the most pages, never process 1, and sleeps until it is gone. If one is
// being ended already, waits for that instead. Either wait ends after a second: then the next one
// is chosen. False: there is none to end, or the current process itself is being ended.
bool end_largest_process();

// Does what `action` does; when memory is short, ends processes and does it again. Sleeps. The
// result is the action's; enomem only when no process was left to end.
template <class Action>
auto with_memory(Action action) {
  for (;;) {
    auto outcome = action();
    if (outcome || outcome.error() != error::enomem || !end_largest_process()) return outcome;
  }
}
