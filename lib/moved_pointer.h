// moved_pointer: a pointer that a move leaves null, for guards that are handed on.
#pragma once

#include <utility>

template <class T>
class moved_pointer {
 public:
  moved_pointer(T* to) : to_(to) {}
  moved_pointer(moved_pointer&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
  moved_pointer& operator=(moved_pointer&&) = delete;
  explicit operator bool() const { return to_ != nullptr; }
  T* operator->() const { return to_; }
  T& operator*() const { return *to_; }

 private:
  T* to_;
};
