// user_memory: the only way from a system call to its caller's memory.
//
// - A pointer that a program passes may be anything. These functions check it with verify_area
//   (the book's name), which also faults the pages in and breaks copy-on-write; a bad one is
//   efault.
// - Checked memory stays present until the call returns, over sleeps too: nothing is swapped out,
//   and an address space belongs to one process, which is in this call. So a path is not copied.
// - Objects are copied in and out by value, so that no call trusts memory it looks at twice.
// - All of these may sleep: a page of the program may have to be read from its disk.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "lib/result.h"
#include "lib/types.h"
#include "lib/user_ptr.h"

// The longest path that a call accepts, its NUL included.
constexpr u32 PATH_MAX = 1024;

// The caller's memory [address, address + length), to be read, or with `write` to be filled.
result<std::span<byte>> user_span(user_ptr address, u32 length, bool write);

// The NUL-terminated text at `address`, which with its NUL has at most `limit` bytes; a longer one
// is `too_long`.
result<std::string_view> user_text(user_ptr address, u32 limit, error too_long);

// A path: efault, enametoolong, and enoent for the empty one, as POSIX wants it.
result<std::string_view> user_path(user_ptr address);

// The T that stands at `address`.
template <class T>
result<T> get_user(user_ptr address) {
  const std::span<byte> bytes = TRY(user_span(address, sizeof(T), false));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// Stores `value` at `address`.
template <class T>
result<void> put_user(user_ptr address, const T& value) {
  const std::span<byte> bytes = TRY(user_span(address, sizeof(T), true));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return {};
}
