// log: one line for each call: the step, the call with symbolic arguments, its answer, and what it
// left in memory. A line is the same on every kernel that behaves the same: no address, no process
// number and no inode number stands in it.
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/libc/syscall.h"

// The descriptor of the log: the last one. No random call uses it.
constexpr int LOG = 31;

inline int step_now;
inline const char* line_mark = "";  // "c" in a child, so that a reader sees which process speaks
inline pid_t own_pid, parent_pid, child_pid;

inline const char* error_name(long number) {
  constexpr struct {
    int number;
    const char* name;
  } names[] = {
      {1, "EPERM"},      {2, "ENOENT"},     {3, "ESRCH"},   {4, "EINTR"},         {5, "EIO"},
      {6, "ENXIO"},      {7, "E2BIG"},      {8, "ENOEXEC"}, {9, "EBADF"},         {10, "ECHILD"},
      {11, "EAGAIN"},    {12, "ENOMEM"},    {13, "EACCES"}, {14, "EFAULT"},       {15, "ENOTBLK"},
      {16, "EBUSY"},     {17, "EEXIST"},    {18, "EXDEV"},  {19, "ENODEV"},       {20, "ENOTDIR"},
      {21, "EISDIR"},    {22, "EINVAL"},    {23, "ENFILE"}, {24, "EMFILE"},       {25, "ENOTTY"},
      {26, "ETXTBSY"},   {27, "EFBIG"},     {28, "ENOSPC"}, {29, "ESPIPE"},       {30, "EROFS"},
      {31, "EMLINK"},    {32, "EPIPE"},     {34, "ERANGE"}, {36, "ENAMETOOLONG"}, {38, "ENOSYS"},
      {39, "ENOTEMPTY"}, {75, "EOVERFLOW"}, {95, "ENOTSUP"}};
  for (const auto& entry : names)
    if (entry.number == number) return entry.name;
  return "E?";
}

inline bool failed(long answer) { return answer < 0 && answer > -4096; }

inline uint32_t hash_of(const void* memory, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; ++i)
    hash = (hash ^ static_cast<const uint8_t*>(memory)[i]) * 16777619u;
  return hash;
}

// One line: text is added piece by piece, and the destructor writes it in one call.
class line {
 public:
  line() { add("%d%s ", step_now, line_mark); }
  ~line() {
    text_[length_++] = '\n';
    raw_system_call(abi::syscall::write, LOG, to_register(text_), static_cast<long>(length_));
  }
  void add(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    va_list arguments;
    va_start(arguments, format);
    add_list(format, arguments);
    va_end(arguments);
  }
  void add_list(const char* format, va_list arguments) {
    const int more = vsnprintf(text_ + length_, sizeof text_ - 1 - length_, format, arguments);
    length_ += static_cast<size_t>(more);
    if (length_ > sizeof text_ - 2) length_ = sizeof text_ - 2;
  }
  void add_answer(long answer) {
    if (failed(answer))
      add(" = %s", error_name(-answer));
    else
      add(" = %ld", answer);
  }

 private:
  char text_[600];
  size_t length_ = 0;
};

// Writes the line of a call and returns its answer.
inline long say(long answer, const char* format, ...) __attribute__((format(printf, 2, 3)));
inline long say(long answer, const char* format, ...) {
  line l;
  va_list arguments;
  va_start(arguments, format);
  l.add_list(format, arguments);
  va_end(arguments);
  l.add_answer(answer);
  return answer;
}

// The same, with a hash of the memory that the call may have filled; after an error the content of
// that memory is not defined.
inline long say_memory(long answer, const void* memory, size_t length, const char* format, ...)
    __attribute__((format(printf, 4, 5)));
inline long say_memory(long answer, const void* memory, size_t length, const char* format, ...) {
  line l;
  va_list arguments;
  va_start(arguments, format);
  l.add_list(format, arguments);
  va_end(arguments);
  l.add_answer(answer);
  if (!failed(answer)) l.add(" memory %08x", hash_of(memory, length));
  return answer;
}

// A line that is no call.
inline void note(const char* format, ...) __attribute__((format(printf, 1, 2)));
inline void note(const char* format, ...) {
  line l;
  va_list arguments;
  va_start(arguments, format);
  l.add_list(format, arguments);
  va_end(arguments);
}

// A process number as both kernels would say it.
inline const char* pid_name(long pid) {
  if (failed(pid)) return error_name(-pid);
  if (pid == 0) return "0";
  if (pid == own_pid) return "SELF";
  if (pid == parent_pid) return "PARENT";
  if (pid == child_pid) return "CHILD";
  return "OTHER";
}

// A status of waitpid. The bit that says whether a core was written is left out: that depends on
// limits of the shell.
inline void add_status(line& l, int status) {
  if ((status & 0xFF) == 0x7F)
    l.add(" stopped by %d", status >> 8 & 0xFF);
  else if (status & 0x7F)
    l.add(" ended by signal %d", status & 0x7F);
  else
    l.add(" exit %d", status >> 8 & 0xFF);
}
