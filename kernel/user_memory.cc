// The checks behind user_memory.h.
#include "kernel/user_memory.h"

#include <algorithm>

#include "hal/may_sleep.h"
#include "hal/memory.h"
#include "hal/panic.h"
#include "kernel/sched.h"
#include "mm/address_space.h"

result<std::span<byte>> user_span(user_ptr address, u32 length, bool write) {
  may_sleep();
  kassert(current->space);  // a kernel task has no user memory
  if (length != 0) TRY(current->space->verify_area(address.address(), length, write));
  return std::span<byte>(reinterpret_cast<byte*>(address.address()), length);
}

// Page by page: a text may end just before unmapped memory, which must not be touched.
result<std::string_view> user_text(user_ptr address, u32 limit, error too_long) {
  const char* const text = reinterpret_cast<const char*>(address.address());
  u32 length = 0;
  while (length < limit) {
    const user_ptr at = address + length;
    const u32 piece = std::min(limit - length, PAGE_SIZE - at.address() % PAGE_SIZE);
    TRY(user_span(at, piece, false));
    const void* const end = std::memchr(text + length, 0, piece);
    if (end) return std::string_view(text, static_cast<const char*>(end));
    length += piece;
  }
  return fail(too_long);
}

result<std::string_view> user_path(user_ptr address) {
  const std::string_view path = TRY(user_text(address, PATH_MAX, error::enametoolong));
  if (path.empty()) return fail(error::enoent);
  return path;
}
