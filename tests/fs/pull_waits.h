// How long a pull makes tasks wait: the time from the port's event to the moment at which the last
// task that slept on a request of the pulled stick has returned from that sleep.
#pragma once

#include <algorithm>
#include <optional>

#include "lib/time.h"
#include "lib/types.h"

namespace sim {

// The longest wait of some pulls.
struct longest_wait {
  duration time{};
  u64 pulls = 0;  // at which a task waited
  void add(const longest_wait& other) {
    time = std::max(time, other.time);
    pulls += other.pulls;
  }
};

// The clock of one experiment, whose sleeps it sees.
class pull_waits {
 public:
  // In a world, once.
  void begin();

  // The stick was pulled; its port tells of it; a stick is plugged in, and from then on a task may
  // sleep on requests of another plug. They come in this order, and none of them sleeps.
  void pulled();
  void told();
  void plugged();
  // The experiment is over: the last pull is judged, too.
  const longest_wait& end();

 private:
  void note_return(const void* return_address, instant since);

  std::optional<instant> told_;
  bool expects_event_ = false;
  instant plugged_ = never;
  std::optional<duration> wait_;  // of the last pull; none: no task has waited
  longest_wait longest_;
};

}  // namespace sim
