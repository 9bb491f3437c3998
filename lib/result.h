// result<T>: what the world may do wrong – devices, media, users, other people's disks.
//
// - A function that can fail returns result<T>; the caller says TRY(...) to pass the error on, or
//   looks at it. Ignoring one is a compile error ([[nodiscard]] on std::expected in our build).
// - A bug of the kernel is not a result: it is a kassert (hal/panic.h).
// - The numbers are POSIX's in Linux i386 numbering, so a system call returns -to_errno(e). The
//   names are lower case because the host's <errno.h> owns the upper-case ones as macros.
// - One is not POSIX's and never leaves the kernel: `absent`. The stick is away; the call shall
//   wait for it at the door (fs/checkpoint/absence.h).
#pragma once

#include <expected>
#include <utility>

#include "lib/types.h"

enum class [[nodiscard]] error : u16{
    eperm = 1,       enoent = 2,      esrch = 3,    eintr = 4,      eio = 5,      enxio = 6,
    e2big = 7,       enoexec = 8,     ebadf = 9,    echild = 10,    eagain = 11,  enomem = 12,
    eacces = 13,     efault = 14,     enotblk = 15, ebusy = 16,     eexist = 17,  exdev = 18,
    enodev = 19,     enotdir = 20,    eisdir = 21,  einval = 22,    enfile = 23,  emfile = 24,
    enotty = 25,     etxtbsy = 26,    efbig = 27,   enospc = 28,    espipe = 29,  erofs = 30,
    emlink = 31,     epipe = 32,      edom = 33,    erange = 34,    edeadlk = 35, enametoolong = 36,
    enosys = 38,     enotempty = 39,  eproto = 71,  eoverflow = 75, eilseq = 84,  enotsup = 95,
    etimedout = 110, enomedium = 123, absent = 600,
};

constexpr int to_errno(error e) { return static_cast<int>(e); }

template <class T>
using result = std::expected<T, error>;

constexpr std::unexpected<error> fail(error e) { return std::unexpected<error>(e); }

namespace detail {
template <class T>
constexpr T take(result<T>&& r) {
  return std::move(*r);
}
constexpr void take(result<void>&&) {}
}  // namespace detail

// The value of a result, or return its error from the enclosing function.
#define TRY(expression)                                   \
  ({                                                      \
    auto try_result_ = (expression);                      \
    if (!try_result_) [[unlikely]]                        \
      return std::unexpected<error>(try_result_.error()); \
    detail::take(std::move(try_result_));                 \
  })
