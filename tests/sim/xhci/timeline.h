// The actions of simulated hardware, in the order of time.
//
// All actions run in one fiber. An action does not sleep and ends before the next begins;
// interrupts that it raises are delivered at its end. So models of hardware need no locks. An
// action may plan further actions.
#pragma once

#include <functional>
#include <map>

#include "hal/wait.h"
#include "lib/time.h"

namespace sim {

class timeline {
 public:
  void start();  // inside a world, once
  void after(duration delay, std::function<void()> action);
  // After a delay between these two, drawn with the world's seed.
  void between(duration least, duration most, std::function<void()> action);

 private:
  void run();

  std::multimap<i64, std::function<void()>> actions_;
  wait_queue changed_;
};

}  // namespace sim
