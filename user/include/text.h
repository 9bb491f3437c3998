// A piece of text that grows: owns its characters, moves, and is copied only by text(other).
// A NUL always follows, so that c_str() costs nothing.
#pragma once

#include <stdlib.h>
#include <string.h>

#include <string_view>
#include <utility>

class text {
 public:
  text() = default;
  explicit text(std::string_view from) { add(from); }
  text(text&& other) noexcept { swap(other); }
  text& operator=(text&& other) noexcept {
    swap(other);
    return *this;
  }
  text(const text& other) = delete;
  ~text() { operator delete(characters_); }

  text& add(char c) {
    insert(size_, c);
    return *this;
  }
  text& add(std::string_view more);
  void insert(size_t at, char c);
  void erase(size_t at, size_t count);
  void cut(size_t size);
  void clear() { cut(0); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  char operator[](size_t at) const { return characters_[at]; }
  char back() const { return characters_[size_ - 1]; }
  const char* c_str() const { return characters_ ? characters_ : ""; }
  char* data() { return characters_; }
  std::string_view view() const { return {c_str(), size_}; }
  operator std::string_view() const { return view(); }
  bool operator==(std::string_view other) const { return view() == other; }

 private:
  void swap(text& other);
  void make_room(size_t size);

  char* characters_ = nullptr;
  size_t size_ = 0, room_ = 0;
};
