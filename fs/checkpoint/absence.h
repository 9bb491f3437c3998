// The door: where a system call waits for a stick that is away.
//
// A call that needs a block of an absent stick fails inside with error::absent. So it lets go of
// its locks, its operation and its references on the way out, waits here, with nothing in its
// hands, and begins again. No other call waits behind it: what finds all it needs in the cache goes
// on. `absent` comes only before the first change of a call, so to begin again is safe; when
// bytes were moved before it, read and write return their number instead.
#pragma once

#include "hal/clock.h"
#include "lib/ids.h"
#include "lib/result.h"

namespace checkpoint {

// For the code that needs the stick of `dev` now. Nothing when it is there, or the device cannot be
// pulled. When it is away: error::absent; but an operation in the midst of its changes cannot be
// given up, so it sleeps here, uninterruptibly, until the stick is back. Errors: absent; eio when
// the volume was given up.
result<void> require_stick(dev_id dev);

// One call at the door: its waits last io_wait at most, all together.
class absence {
 public:
  absence();
  // Sleeps interruptibly until the state of a volume has changed since the last try. Errors: eintr;
  // eio after io_wait.
  result<void> wait_for_change();

 private:
  u32 seen_;
  duration left_;
};

// What call() returns, which must hold nothing that another task may wait for. Sleeps at the door
// and calls again while that is error::absent. Errors: those of the call, eintr, eio.
template <class Call>
auto at_the_door(Call&& call) -> decltype(call()) {
  absence away;
  for (;;) {
    auto outcome = call();
    if (outcome || outcome.error() != error::absent) return outcome;
    TRY(away.wait_for_change());
  }
}

}  // namespace checkpoint
