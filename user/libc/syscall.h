// How a program asks the kernel: int 0x80, number in eax, arguments in ebx ecx edx esi edi.
#pragma once

#include <errno.h>

#include "lib/abi.h"

// A pointer or a number, as a register holds it.
template <class argument>
inline long to_register(argument value) {
  return (long)value;
}

// The kernel's answer as it is: a value, or -errno.
inline long raw_system_call(abi::syscall number, long a = 0, long b = 0, long c = 0, long d = 0,
                            long e = 0) {
  long answer;
  asm volatile("int $0x80"
               : "=a"(answer)
               : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
               : "memory", "cc");
  return answer;
}

// The C way: the value, or -1 with errno set.
template <class... arguments>
inline int system_call(abi::syscall number, arguments... values) {
  const long answer = raw_system_call(number, to_register(values)...);
  if (answer > -4096 && answer < 0) {
    errno = static_cast<int>(-answer);
    return -1;
  }
  return static_cast<int>(answer);
}
