// Formatted text without allocation: the printf of the kernel and of the user programs' libc.
//
// Conversions: %d %i %u %x %X %o %c %s %p %% with flags `-`, `0`, `+`, a width, a precision (also
// `*`) and the length modifiers hh h l ll z. Anything else is printed as it stands.
#pragma once

#include <cstdarg>
#include <span>
#include <string_view>

#include "lib/types.h"

// Writes at most to.size() - 1 characters and a NUL. Returns the length that the whole text has.
size_t format_to(std::span<char> to, const char* format, std::va_list arguments);
size_t format(std::span<char> to, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Text that grows inside a buffer of the caller; what does not fit is cut off, never written behind
// the end.
class text_sink {
 public:
  explicit text_sink(std::span<char> to) : to_(to) {}
  void print(const char* format, ...) __attribute__((format(printf, 2, 3)));
  std::string_view text() const { return {to_.data(), length_}; }
  // Characters that still fit.
  size_t room() const { return to_.size() - length_ - (to_.size() > length_); }

 private:
  std::span<char> to_;
  size_t length_ = 0;
};
