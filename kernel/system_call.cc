// The table of system calls and the way into it: see system_call.h.
//
// The sys_ functions (sys.h) have the parameters that their call has; `enter` passes as many of the
// arguments as a function has, and turns its result into one number.
#include "kernel/system_call.h"

#include <array>
#include <type_traits>

#include "kernel/sched.h"
#include "kernel/sys.h"
#include "lib/abi.h"

namespace {

using system_call_function = result<u32> (*)(const system_call_arguments& arguments);

result<u32> with_value(const result<u32>& r) { return r; }
result<u32> with_value(const result<void>& r) { return r ? result<u32>(0) : fail(r.error()); }

template <auto Function>
struct gate;
template <class Return, class... Argument, Return (*Function)(Argument...)>
struct gate<Function> {
  static_assert(sizeof...(Argument) <= std::tuple_size_v<system_call_arguments>);
  static_assert(((std::is_same_v<Argument, u32> || std::is_same_v<Argument, user_ptr>)&&...));

  static result<u32> enter(const system_call_arguments& arguments) {
    return pass(arguments, std::index_sequence_for<Argument...>{});
  }
  template <size_t... I>
  static result<u32> pass(const system_call_arguments& arguments, std::index_sequence<I...>) {
    return with_value(Function(Argument(arguments[I])...));
  }
};

constexpr u32 number(abi::syscall call) { return static_cast<u32>(call); }
constexpr u32 NR_CALLS = number(abi::syscall::clock_gettime) + 1;

struct table_builder {
  std::array<system_call_function, NR_CALLS> table{};

  template <auto Function>
  constexpr void set(abi::syscall call) {
    table[number(call)] = gate<Function>::enter;
  }
};

constexpr auto sys_call_table = [] {
  using enum abi::syscall;
  table_builder b;
  b.set<sys_exit>(exit);
  b.set<sys_fork>(fork);
  b.set<sys_read>(read);
  b.set<sys_write>(write);
  b.set<sys_open>(open);
  b.set<sys_close>(close);
  b.set<sys_waitpid>(waitpid);
  b.set<sys_creat>(creat);
  b.set<sys_link>(link);
  b.set<sys_unlink>(unlink);
  b.set<sys_execve>(execve);
  b.set<sys_chdir>(chdir);
  b.set<sys_time>(time);
  b.set<sys_mknod>(mknod);
  b.set<sys_chmod>(chmod);
  b.set<sys_lseek>(lseek);
  b.set<sys_getpid>(getpid);
  b.set<sys_mount>(mount);
  b.set<sys_umount>(umount);
  b.set<sys_stime>(stime);
  b.set<sys_alarm>(alarm);
  b.set<sys_pause>(pause);
  b.set<sys_utime>(utime);
  b.set<sys_access>(access);
  b.set<sys_sync_all>(sync);
  b.set<sys_kill>(kill);
  b.set<sys_rename>(rename);
  b.set<sys_mkdir>(mkdir);
  b.set<sys_rmdir>(rmdir);
  b.set<sys_dup>(dup);
  b.set<sys_pipe>(pipe);
  b.set<sys_times>(times);
  b.set<sys_brk>(brk);
  b.set<sys_signal>(signal);
  b.set<sys_umount2>(umount2);
  b.set<sys_ioctl>(ioctl);
  b.set<sys_fcntl>(fcntl);
  b.set<sys_setpgid>(setpgid);
  b.set<sys_umask>(umask);
  b.set<sys_dup2>(dup2);
  b.set<sys_getppid>(getppid);
  b.set<sys_getpgrp>(getpgrp);
  b.set<sys_setsid>(setsid);
  b.set<sys_sigaction>(sigaction);
  b.set<sys_sgetmask>(sgetmask);
  b.set<sys_ssetmask>(ssetmask);
  b.set<sys_sigpending>(sigpending);
  b.set<sys_reboot>(reboot);
  b.set<sys_truncate>(truncate);
  b.set<sys_ftruncate>(ftruncate);
  b.set<sys_statfs>(statfs);
  b.set<sys_syslog>(syslog);
  b.set<sys_stat>(stat);
  b.set<sys_lstat>(lstat);
  b.set<sys_fstat>(fstat);
  b.set<sys_fsync>(fsync);
  b.set<sys_sigreturn>(sigreturn);
  b.set<sys_sigprocmask>(sigprocmask);
  b.set<sys_getpgid>(getpgid);
  b.set<sys_getdents>(getdents);
  b.set<sys_fsync>(fdatasync);
  b.set<sys_nanosleep>(nanosleep);
  b.set<sys_getcwd>(getcwd);
  b.set<sys_clock_gettime>(clock_gettime);
  return b.table;
}();

system_call_function function_of(u32 call) {
  return call < NR_CALLS ? sys_call_table[call] : nullptr;
}

// close is never begun again: the descriptor is closed also when close returns an error.
bool restartable(u32 call) { return call != number(abi::syscall::close); }

}  // namespace

i32 system_call(u32 call, const system_call_arguments& arguments) {
  const system_call_function function = function_of(call);
  const result<u32> outcome = function ? function(arguments) : fail(error::enosys);
  // Asked of the error: a value may look like -EINTR.
  const bool interrupted = outcome == fail(error::eintr);
  current->interrupted_call = interrupted && restartable(call) ? call : 0;
  return outcome ? static_cast<i32>(*outcome) : -to_errno(outcome.error());
}
