// switch_stack: from one stack to another.
//
// A stack is entered by setcontext the first time, and by __builtin_longjmp from then on, which
// asks the system for nothing: swapcontext asks for the signal mask each time, and that was more
// than a third of the time of a sweep. AddressSanitizer is told of each switch.
#pragma once

#include <ucontext.h>

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace sim {

// A stack that is not in use, and where it was left.
struct left_stack {
  ucontext_t context{};  // where it begins
  const void* base = nullptr;
  size_t size = 0;
#ifdef __SANITIZE_ADDRESS__
  void* sanitizer_stack = nullptr;
#endif
  void* registers[5]{};  // of __builtin_setjmp
  bool has_begun = false;
};

// This stack is left where `body` begins, which must not return.
inline void make_stack(left_stack& made, void* base, size_t size, void (*body)()) {
  getcontext(&made.context);
  made.context.uc_stack.ss_sp = base;
  made.context.uc_stack.ss_size = size;
  made.context.uc_link = nullptr;
  makecontext(&made.context, body, 0);
  made.base = base;
  made.size = size;
}

#ifdef __SANITIZE_ADDRESS__
#define SIM_UNCHECKED [[gnu::noinline, gnu::no_sanitize("address")]]
#else
#define SIM_UNCHECKED [[gnu::noinline]]
#endif

// Two functions, as the jump must not be in the function that it returns to (GCC's manual, 6.5).
[[noreturn]] SIM_UNCHECKED inline void enter_stack(left_stack& to) {
  if (to.has_begun) __builtin_longjmp(to.registers, 1);
  to.has_begun = true;
  setcontext(&to.context);
  __builtin_unreachable();
}

SIM_UNCHECKED inline void leave_stack(left_stack& from, left_stack& to) {
  if (__builtin_setjmp(from.registers) == 0) enter_stack(to);
}

// A stack that was left in the middle of a function is used again.
inline void forget_red_zones([[maybe_unused]] const void* base, [[maybe_unused]] size_t size) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(base, size);
#endif
}

// First in a function that begins a stack; `from`: the one that was left for it.
inline void stack_has_begun(left_stack& from) {
  from.has_begun = true;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &from.base, &from.size);
#endif
}

// Returns when `from` is switched to; never when it is left for ever.
inline void switch_stack(left_stack& from, left_stack& to, [[maybe_unused]] bool forever = false) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(forever ? nullptr : &from.sanitizer_stack, to.base, to.size);
#endif
  leave_stack(from, to);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(from.sanitizer_stack, &to.base, &to.size);
#endif
}

#undef SIM_UNCHECKED

}  // namespace sim
