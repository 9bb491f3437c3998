// The system calls about descriptors and open files.
#include <utility>

#include "drivers/char/char_device.h"
#include "kernel/files.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"

// The descriptor is chosen after the file is open: open_file sleeps, and only this process changes
// its table. A process without a free descriptor gets its error before a file is created or cut.
result<u32> sys_open(user_ptr path, u32 flags, u32 mode) {
  TRY(free_descriptor());
  const std::string_view name = TRY(user_path(path));
  return install_file(TRY(open_file(current->fs, name, flags, static_cast<u16>(mode))));
}

result<u32> sys_creat(user_ptr path, u32 mode) {
  return sys_open(path, abi::o_creat | abi::o_wronly | abi::o_trunc, mode);
}

result<void> sys_close(u32 fd) { return close_descriptor(fd); }

result<u32> sys_lseek(u32 fd, u32 offset, u32 whence) {
  return seek_file(*TRY(file_of(fd)), static_cast<i32>(offset), whence);
}

namespace {

// dup and its relatives: the lowest free descriptor from `lowest` on shares the file.
result<u32> dupfd(u32 fd, u32 lowest) {
  file& shared = *TRY(file_of(fd));
  if (lowest >= NR_OPEN) return fail(error::einval);
  const u32 to = TRY(free_descriptor(lowest));
  current->filp[to] = share_file(shared);
  return to;
}

// What fcntl may change of an open file; the access mode is fixed for ever.
constexpr u32 CHANGEABLE_FLAGS = abi::o_append | abi::o_nonblock;

}  // namespace

result<u32> sys_dup(u32 fd) { return dupfd(fd, 0); }

result<u32> sys_dup2(u32 from, u32 to) {
  TRY(file_of(from));
  if (to >= NR_OPEN) return fail(error::ebadf);
  if (from == to) return to;
  (void)close_descriptor(to);  // POSIX: dup2 does not tell its errors
  return dupfd(from, to);
}

result<u32> sys_fcntl(u32 fd, u32 command, u32 argument) {
  file& f = *TRY(file_of(fd));
  const u32 bit = u32{1} << fd;
  switch (command) {
    case abi::f_dupfd: return dupfd(fd, argument);
    case abi::f_getfd: return current->close_on_exec & bit ? abi::fd_cloexec : 0;
    case abi::f_setfd:
      if (argument & abi::fd_cloexec)
        current->close_on_exec |= bit;
      else
        current->close_on_exec &= ~bit;
      return 0;
    case abi::f_getfl: return f.f_flags & (abi::o_accmode | CHANGEABLE_FLAGS);
    case abi::f_setfl:
      f.f_flags = (f.f_flags & ~CHANGEABLE_FLAGS) | (argument & CHANGEABLE_FLAGS);
      return 0;
    default: return fail(error::einval);
  }
}

result<void> sys_pipe(user_ptr descriptors) {
  TRY(user_span(descriptors, 2 * sizeof(u32), true));
  auto [read_end, write_end] = make_pipe();
  if (!read_end) return fail(read_end.error());
  const result<u32> from = install_file(*read_end);
  const result<u32> to = install_file(*write_end);
  if (!from || !to) {
    if (from) (void)close_descriptor(*from);
    return fail(error::emfile);
  }
  return put_user(descriptors, std::array<u32, 2>{*from, *to});
}

// What the argument is follows from the command; some commands have none.
result<u32> sys_ioctl(u32 fd, u32 command, user_ptr argument) {
  file& f = *TRY(file_of(fd));
  const ioctl_argument wanted = TRY(argument_of_ioctl(f, command));
  return ioctl_file(f, command, TRY(user_span(argument, wanted.size, wanted.is_result)));
}
