// switch_stack: from one stack to another.
//
// AddressSanitizer is told of each switch, and wants swapcontext, which asks the system for the
// signal mask each time. Without it (`make proof`) a stack is entered by setcontext the first time,
// and by longjmp from then on, which asks for nothing: that halves the time of the proof.
#pragma once

#include <ucontext.h>

#include <csetjmp>
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
#else
  jmp_buf registers{};
  bool has_begun = false;
#endif
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

// A stack that was left in the middle of a function is used again.
inline void forget_red_zones(const void* base, size_t size) {
  __asan_unpoison_memory_region(base, size);
}

// First in a function that begins a stack; `from`: the one that was left for it.
inline void stack_has_begun(left_stack& from) {
  __sanitizer_finish_switch_fiber(nullptr, &from.base, &from.size);
}

// Returns when `from` is switched to; never when it is left for ever.
inline void switch_stack(left_stack& from, left_stack& to, bool forever = false) {
  __sanitizer_start_switch_fiber(forever ? nullptr : &from.sanitizer_stack, to.base, to.size);
  swapcontext(&from.context, &to.context);
  __sanitizer_finish_switch_fiber(from.sanitizer_stack, &to.base, &to.size);
}

#else

inline void forget_red_zones(const void*, size_t) {}
inline void stack_has_begun(left_stack& from) { from.has_begun = true; }
inline void switch_stack(left_stack& from, left_stack& to, bool = false) {
  if (_setjmp(from.registers) != 0) return;
  if (to.has_begun) _longjmp(to.registers, 1);
  to.has_begun = true;
  setcontext(&to.context);
}

#endif

}  // namespace sim
