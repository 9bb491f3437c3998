// dice: random numbers that follow from a seed and the number of a step alone. A step makes the
// same choices whatever the steps before it did, so that steps can be left out of a sequence.
#pragma once

#include <stddef.h>
#include <stdint.h>

class dice {
 public:
  void begin(uint32_t seed, uint32_t step) {
    state_ = (seed * 0x9E37'79B9u) ^ (step * 0x85EB'CA6Bu) ^ 0x5BD1'E995u;
    if (state_ == 0) state_ = 1;
    for (int i = 0; i < 8; ++i) next();
  }

  uint32_t below(uint32_t limit) { return (next() >> 8) % limit; }
  bool chance(uint32_t percent) { return below(100) < percent; }

  template <class T, size_t N>
  const T& one_of(const T (&choices)[N]) {
    return choices[below(N)];
  }

 private:
  uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  uint32_t state_ = 1;
};

inline dice roll;
