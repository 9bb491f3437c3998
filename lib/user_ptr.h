// user_ptr: an address that a program has passed. It may be anything, so the kernel never uses it
// as a pointer; kernel/user_memory.h checks it and gives the memory that it stands for.
#pragma once

#include "lib/types.h"

class user_ptr {
 public:
  constexpr user_ptr() = default;
  constexpr explicit user_ptr(u32 address) : address_(address) {}

  constexpr u32 address() const { return address_; }
  // Whether the program has passed one: null stands for none.
  constexpr explicit operator bool() const { return address_ != 0; }
  constexpr user_ptr operator+(u32 bytes) const { return user_ptr(address_ + bytes); }

 private:
  u32 address_ = 0;
};
