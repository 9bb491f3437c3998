// sys.h: every system call, by the book's name. system_call.cc calls them by number; each stands in
// the file of its topic.
//
// Arguments are what the program left in its registers: numbers and unchecked addresses. The
// meaning of each call is POSIX's unless its file says otherwise; a result is the call's value, an
// error goes to the program as -errno. All of them may sleep.
#pragma once

#include "lib/result.h"
#include "lib/types.h"

// sys_write.cc
result<u32> sys_read(u32 fd, u32 buffer, u32 count);
result<u32> sys_write(u32 fd, u32 buffer, u32 count);

// sys_open.cc
result<u32> sys_open(u32 path, u32 flags, u32 mode);
result<u32> sys_creat(u32 path, u32 mode);
result<void> sys_close(u32 fd);
result<u32> sys_lseek(u32 fd, u32 offset, u32 whence);
result<u32> sys_dup(u32 fd);
result<u32> sys_dup2(u32 from, u32 to);
result<u32> sys_fcntl(u32 fd, u32 command, u32 argument);
result<void> sys_pipe(u32 descriptors);
result<u32> sys_ioctl(u32 fd, u32 command, u32 argument);

// sys_names.cc
result<void> sys_link(u32 from, u32 to);
result<void> sys_unlink(u32 path);
result<void> sys_rename(u32 from, u32 to);
result<void> sys_mkdir(u32 path, u32 mode);
result<void> sys_rmdir(u32 path);
result<void> sys_mknod(u32 path, u32 mode, u32 device);
result<void> sys_chdir(u32 path);
result<u32> sys_getcwd(u32 buffer, u32 size);
result<u32> sys_getdents(u32 fd, u32 buffer, u32 size);

// sys_stat.cc
result<void> sys_stat(u32 path, u32 buffer);
result<void> sys_lstat(u32 path, u32 buffer);
result<void> sys_fstat(u32 fd, u32 buffer);
result<void> sys_statfs(u32 path, u32 buffer);
result<void> sys_access(u32 path, u32 mode);
result<void> sys_chmod(u32 path, u32 mode);
result<void> sys_utime(u32 path, u32 times);
result<u32> sys_umask(u32 mask);
result<void> sys_truncate(u32 path, u32 size);
result<void> sys_ftruncate(u32 fd, u32 size);

// sys_mount.cc
result<void> sys_mount(u32 device, u32 directory, u32 type, u32 flags, u32 data);
result<void> sys_umount(u32 path);
result<void> sys_umount2(u32 path, u32 flags);
result<void> sys_sync_all();
result<void> sys_fsync(u32 fd);

// exec.cc, fork.cc, exit.cc
result<void> sys_execve(u32 path, u32 argv, u32 envp);
result<u32> sys_fork();
result<void> sys_exit(u32 code);
result<u32> sys_waitpid(u32 pid, u32 status, u32 options);
result<void> sys_kill(u32 pid, u32 signal);

// signal.cc
result<u32> sys_signal(u32 signal, u32 handler, u32 restorer);
result<void> sys_sigaction(u32 signal, u32 action, u32 old_action);
result<void> sys_sigprocmask(u32 how, u32 set, u32 old_set);
result<void> sys_sigpending(u32 set);
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
result<u32> sys_time(u32 to);
result<void> sys_stime(u32 from);
result<u32> sys_times(u32 to);
result<void> sys_clock_gettime(u32 clock, u32 to);
result<void> sys_nanosleep(u32 time, u32 remaining);

// sys_reboot.cc
result<void> sys_reboot(u32 magic1, u32 magic2, u32 command, u32 flags);
result<u32> sys_syslog(u32 type, u32 buffer, u32 length);
