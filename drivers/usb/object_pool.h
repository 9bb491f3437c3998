// object_pool: at most N objects of one kind. They are made and destroyed at run time; their memory
// is part of the pool. Never sleeps.
#pragma once

#include <array>
#include <new>
#include <utility>

#include "lib/types.h"

namespace usb {

template <class T, u32 N>
class object_pool {
 public:
  // Null when all N are in use.
  template <class... Arguments>
  T* make(Arguments&&... arguments) {
    for (u32 i = 0; i < N; ++i)
      if (!used_[i]) {
        used_[i] = true;
        return new (&slots_[i]) T(std::forward<Arguments>(arguments)...);
      }
    return nullptr;
  }
  void destroy(T* object) {
    object->~T();
    used_[static_cast<size_t>(reinterpret_cast<slot*>(object) - slots_.data())] = false;
  }

 private:
  struct alignas(T) slot {
    std::array<byte, sizeof(T)> bytes;
  };
  std::array<slot, N> slots_{};
  std::array<bool, N> used_{};
};

}  // namespace usb
