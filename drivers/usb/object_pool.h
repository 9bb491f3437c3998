// object_pool: at most N objects of one kind. They are made at run time and live for ever; their
// memory is part of the pool. Never sleeps.
#pragma once

#include <array>
#include <new>
#include <utility>

#include "lib/types.h"

namespace usb {

template <class T, u32 N>
class object_pool {
 public:
  // Null when there are N.
  template <class... Arguments>
  T* make(Arguments&&... arguments) {
    if (made_ == N) return nullptr;
    return new (&slots_[made_++]) T(std::forward<Arguments>(arguments)...);
  }

 private:
  struct alignas(T) slot {
    std::array<byte, sizeof(T)> bytes;
  };
  std::array<slot, N> slots_{};
  u32 made_ = 0;
};

}  // namespace usb
