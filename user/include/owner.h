// The one pointer that owns an object.
#pragma once

#include <utility>

template <class T>
class owner {
 public:
  owner() = default;
  explicit owner(T* object) : object_(object) {}
  owner(owner&& other) noexcept { std::swap(object_, other.object_); }
  owner& operator=(owner&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~owner() { delete object_; }

  explicit operator bool() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  T* object_ = nullptr;
};
