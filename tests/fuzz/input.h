// The input of a fuzzer, taken from its beginning. Behind its end everything is 0.
#pragma once

#include <algorithm>
#include <span>

#include "lib/types.h"

namespace fuzz {

class input {
 public:
  explicit input(std::span<const byte> bytes) : rest_(bytes) {}

  bool ended() const { return rest_.empty(); }
  std::span<const byte> take(size_t most) {
    const auto taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  u8 number() {
    const auto one = take(1);
    return one.empty() ? u8{0} : static_cast<u8>(one[0]);
  }
  u16 number16() {
    const u8 low = number();
    return static_cast<u16>(low | number() << 8);
  }
  // Fills all of it.
  void fill(std::span<byte> to) {
    const auto taken = take(to.size());
    std::ranges::copy(taken, to.begin());
    std::ranges::fill(to.subspan(taken.size()), byte{0});
  }

 private:
  std::span<const byte> rest_;
};

}  // namespace fuzz
