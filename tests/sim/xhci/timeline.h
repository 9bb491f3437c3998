// What simulated hardware does by itself, in the order of time.
//
// Every action runs in one fiber, does not sleep, and is over before the next begins; interrupts
// that it raises are delivered when it is over. So a piece of hardware needs no locks, and a model
// is a set of actions that call for one another.
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
  // After a time drawn with the world's seed.
  void between(duration least, duration most, std::function<void()> action);

 private:
  void run();

  std::multimap<i64, std::function<void()>> actions_;
  wait_queue changed_;
};

}  // namespace sim
