// An array that grows: owns its elements, moves, does not copy.
#pragma once

#include <stddef.h>
#include <stdlib.h>

#include <new>
#include <utility>

template <class T>
class vector {
 public:
  vector() = default;
  vector(vector&& other) noexcept { swap(other); }
  vector& operator=(vector&& other) noexcept {
    swap(other);
    return *this;
  }
  ~vector() {
    clear();
    operator delete(items_);
  }

  void push_back(T item) {
    if (size_ == room_) grow();
    new (items_ + size_++) T(std::move(item));
  }
  void pop_back() { items_[--size_].~T(); }
  void clear() {
    while (size_ > 0) pop_back();
  }
  void erase(size_t at) {
    for (; at + 1 < size_; ++at) items_[at] = std::move(items_[at + 1]);
    pop_back();
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t at) { return items_[at]; }
  const T& operator[](size_t at) const { return items_[at]; }
  T& back() { return items_[size_ - 1]; }
  const T& back() const { return items_[size_ - 1]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

 private:
  void swap(vector& other) {
    std::swap(items_, other.items_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
  }
  void grow() {
    const size_t room = room_ ? 2 * room_ : 8;
    T* larger = static_cast<T*>(operator new(room * sizeof(T)));
    for (size_t n = 0; n < size_; ++n) {
      new (larger + n) T(std::move(items_[n]));
      items_[n].~T();
    }
    operator delete(items_);
    items_ = larger;
    room_ = room;
  }

  T* items_ = nullptr;
  size_t size_ = 0, room_ = 0;
};
