// panic and kassert stop the machine, for bugs of the kernel only. Nothing that a device, a disk
// image or a user program says may lead here: that is result<T>.
#pragma once

// Prints the message, the registers and a backtrace with function names, and stops the machine. On
// the host it fails the test.
[[noreturn]] void panic(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define kassert(condition)                                                  \
  do {                                                                      \
    if (!(condition)) [[unlikely]]                                          \
      panic("assertion failed: %s, %s:%d", #condition, __FILE__, __LINE__); \
  } while (false)
