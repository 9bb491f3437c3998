// sys.h: every system call, by the book's name. system_call.cc calls them by number; each stands in
// the file of its topic.
//
// Arguments are what the program left in its registers: numbers and unchecked addresses. The
// meaning of each call is POSIX's unless its file says otherwise; a result is the call's value, an
// error goes to the program as -errno. All of them may sleep.
#pragma once

#include "lib/result.h"
#include "lib/types.h"
#include "lib/user_ptr.h"

// sys_write.cc
result<u32> sys_read(u32 fd, user_ptr buffer, u32 count);
result<u32> sys_write(u32 fd, user_ptr buffer, u32 count);

// sys_open.cc
result<u32> sys_open(user_ptr path, u32 flags, u32 mode);
result<u32> sys_creat(user_ptr path, u32 mode);
result<void> sys_close(u32 fd);
result<u32> sys_lseek(u32 fd, u32 offset, u32 whence);
result<u32> sys_dup(u32 fd);
result<u32> sys_dup2(u32 from, u32 to);
result<u32> sys_fcntl(u32 fd, u32 command, u32 argument);
result<void> sys_pipe(user_ptr descriptors);
result<u32> sys_ioctl(u32 fd, u32 command, user_ptr argument);

// sys_names.cc
result<void> sys_link(user_ptr from, user_ptr to);
result<void> sys_unlink(user_ptr path);
result<void> sys_rename(user_ptr from, user_ptr to);
result<void> sys_mkdir(user_ptr path, u32 mode);
result<void> sys_rmdir(user_ptr path);
result<void> sys_mknod(user_ptr path, u32 mode, u32 device);
result<void> sys_chdir(user_ptr path);
result<u32> sys_getcwd(user_ptr buffer, u32 size);
result<u32> sys_getdents(u32 fd, user_ptr buffer, u32 size);

// sys_stat.cc
result<void> sys_stat(user_ptr path, user_ptr buffer);
result<void> sys_lstat(user_ptr path, user_ptr buffer);
result<void> sys_fstat(u32 fd, user_ptr buffer);
result<void> sys_statfs(user_ptr path, user_ptr buffer);
result<void> sys_access(user_ptr path, u32 mode);
result<void> sys_chmod(user_ptr path, u32 mode);
result<void> sys_utime(user_ptr path, user_ptr times);
result<u32> sys_umask(u32 mask);
result<void> sys_truncate(user_ptr path, u32 size);
result<void> sys_ftruncate(u32 fd, u32 size);

// sys_mount.cc
result<void> sys_mount(user_ptr device, user_ptr directory, user_ptr type, u32 flags, u32 data);
result<void> sys_umount(user_ptr path);
result<void> sys_umount2(user_ptr path, u32 flags);
result<void> sys_sync_all();
result<void> sys_fsync(u32 fd);

// exec.cc, fork.cc, exit.cc
result<void> sys_execve(user_ptr path, user_ptr argv, user_ptr envp);
result<u32> sys_fork();
result<void> sys_exit(u32 code);
result<u32> sys_waitpid(u32 pid, user_ptr status, u32 options);
result<void> sys_kill(u32 pid, u32 signal);

// signal.cc
result<u32> sys_signal(u32 signal, u32 handler, u32 restorer);
result<void> sys_sigaction(u32 signal, user_ptr action, user_ptr old_action);
result<void> sys_sigprocmask(u32 how, user_ptr set, user_ptr old_set);
result<void> sys_sigpending(user_ptr set);
result<u32> sys_sgetmask();
result<u32> sys_ssetmask(u32 mask);
result<u32> sys_sigreturn();
result<void> sys_pause();
result<u32> sys_alarm(u32 seconds);

// sys_process.cc
result<u32> sys_getpid();
result<u32> sys_getppid();
result<u32> sys_getpgrp();
result<u32> sys_getpgid(u32 pid);
result<void> sys_setpgid(u32 pid, u32 pgid);
result<u32> sys_setsid();
result<u32> sys_brk(u32 address);

// sys_time.cc
result<u32> sys_time(user_ptr to);
result<void> sys_stime(user_ptr from);
result<u32> sys_times(user_ptr to);
result<void> sys_clock_gettime(u32 clock, user_ptr to);
result<void> sys_nanosleep(user_ptr time, user_ptr remaining);

// sys_reboot.cc
result<void> sys_reboot(u32 magic1, u32 magic2, u32 command, u32 flags);
result<u32> sys_syslog(u32 type, user_ptr buffer, u32 length);
