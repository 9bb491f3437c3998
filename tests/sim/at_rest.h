// What must be true whenever every fiber sleeps: looked at each few times that the clock moves.
//
// A part that has such rules makes one object of this kind before main. When a rule is broken the
// test fails at once, in the middle of its world, near the place where it went wrong.
#pragma once

#include <string>

#include "lib/types.h"

namespace sim {

class at_rest {
 public:
  at_rest(const at_rest&) = delete;
  at_rest& operator=(const at_rest&) = delete;

  // Says what is wrong; empty when nothing is. Called outside of every fiber: does not sleep.
  virtual std::string problem() = 0;

 protected:
  explicit at_rest(const char* what);
  virtual ~at_rest();

 private:
  friend void look_at_rest();
  const char* what_;
  u64 looks_ = 0;
};

// For the scheduler alone: every fiber sleeps, and the clock is about to move.
void look_at_rest();

}  // namespace sim
