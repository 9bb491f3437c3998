#include "tests/sim/at_rest.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/sim/world_state.h"

namespace sim {
namespace {

constexpr u32 one_in = 3;  // a look costs some microseconds

std::vector<at_rest*>& rules() {
  static std::vector<at_rest*> all;
  return all;
}

u64 moves = 0;

}  // namespace

at_rest::at_rest(const char* what) : what_(what) { rules().push_back(this); }

at_rest::~at_rest() {
  std::printf("coverage: at rest: %llu looks at %s\n", static_cast<unsigned long long>(looks_),
              what_);
  std::erase(rules(), this);
}

void look_at_rest() {
  if (++moves % one_in != 0 || state_here().chosen.expect_panic) return;
  for (at_rest* each : rules()) {
    ++each->looks_;
    const std::string problem = each->problem();
    if (!problem.empty()) return state_here().fail("while every fiber sleeps: " + problem);
  }
}

}  // namespace sim
