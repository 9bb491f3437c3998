// System calls that are nothing but the call.
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "user/libc/syscall.h"

using abi::syscall;

int errno;

ssize_t read(int fd, void* to, size_t count) { return system_call(syscall::read, fd, to, count); }
ssize_t write(int fd, const void* from, size_t count) {
  return system_call(syscall::write, fd, from, count);
}
int close(int fd) { return system_call(syscall::close, fd); }
off_t lseek(int fd, off_t offset, int whence) {
  return system_call(syscall::lseek, fd, offset, whence);
}
int dup(int fd) { return system_call(syscall::dup, fd); }
int dup2(int fd, int onto) { return system_call(syscall::dup2, fd, onto); }
int pipe(int ends[2]) { return system_call(syscall::pipe, ends); }
int fsync(int fd) { return system_call(syscall::fsync, fd); }
int fdatasync(int fd) { return system_call(syscall::fdatasync, fd); }
int ftruncate(int fd, off_t length) { return system_call(syscall::ftruncate, fd, length); }
int truncate(const char* path, off_t length) {
  return system_call(syscall::truncate, path, length);
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = (flags & O_CREAT) ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return system_call(syscall::open, path, flags, mode);
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  const int argument = va_arg(arguments, int);
  va_end(arguments);
  return system_call(syscall::fcntl, fd, command, argument);
}

int creat(const char* path, mode_t mode) { return system_call(syscall::creat, path, mode); }
int access(const char* path, int how) { return system_call(syscall::access, path, how); }
int link(const char* from, const char* to) { return system_call(syscall::link, from, to); }
int unlink(const char* path) { return system_call(syscall::unlink, path); }
int rename(const char* from, const char* to) { return system_call(syscall::rename, from, to); }
int mkdir(const char* path, mode_t mode) { return system_call(syscall::mkdir, path, mode); }
int rmdir(const char* path) { return system_call(syscall::rmdir, path); }
int mknod(const char* path, mode_t mode, dev_t dev) {
  return system_call(syscall::mknod, path, mode, dev);
}
int chmod(const char* path, mode_t mode) { return system_call(syscall::chmod, path, mode); }
mode_t umask(mode_t mask) { return static_cast<mode_t>(system_call(syscall::umask, mask)); }
int utime(const char* path, const utimbuf* times) {
  return system_call(syscall::utime, path, times);
}
int stat(const char* path, struct stat* about) { return system_call(syscall::stat, path, about); }
int lstat(const char* path, struct stat* about) { return system_call(syscall::lstat, path, about); }
int fstat(int fd, struct stat* about) { return system_call(syscall::fstat, fd, about); }
int statfs(const char* path, struct statfs* about) {
  return system_call(syscall::statfs, path, about);
}
int chdir(const char* path) { return system_call(syscall::chdir, path); }
char* getcwd(char* to, size_t size) {
  return system_call(syscall::getcwd, to, size) < 0 ? nullptr : to;
}

int sync() { return system_call(syscall::sync); }
int mount(const char* device, const char* directory, const char* type, unsigned long flags,
          const void* data) {
  return system_call(syscall::mount, device, directory, type, flags, data);
}
int umount(const char* target) { return system_call(syscall::umount, target); }
int umount2(const char* target, int flags) { return system_call(syscall::umount2, target, flags); }
int reboot(unsigned command, unsigned flags) {
  return system_call(syscall::reboot, abi::reboot_magic1, abi::reboot_magic2, command, flags);
}

pid_t fork() { return system_call(syscall::fork); }
int execve(const char* path, char* const argv[], char* const envp[]) {
  return system_call(syscall::execve, path, argv, envp);
}
void _exit(int status) {
  for (;;) system_call(syscall::exit, status);
}
pid_t waitpid(pid_t pid, int* status, int options) {
  return system_call(syscall::waitpid, pid, status, options);
}
pid_t wait(int* status) { return waitpid(-1, status, 0); }
pid_t getpid() { return system_call(syscall::getpid); }
pid_t getppid() { return system_call(syscall::getppid); }
pid_t getpgrp() { return system_call(syscall::getpgrp); }
pid_t getpgid(pid_t pid) { return system_call(syscall::getpgid, pid); }
int setpgid(pid_t pid, pid_t group) { return system_call(syscall::setpgid, pid, group); }
pid_t setsid() { return system_call(syscall::setsid); }

unsigned alarm(unsigned seconds) {
  return static_cast<unsigned>(system_call(syscall::alarm, seconds));
}
int pause() { return system_call(syscall::pause); }

time_t time(time_t* to) { return system_call(syscall::time, to); }
int stime(const time_t* from) { return system_call(syscall::stime, from); }
int clock_gettime(clockid_t clock, struct timespec* to) {
  return system_call(syscall::clock_gettime, clock, to);
}
int nanosleep(const struct timespec* how_long, struct timespec* left) {
  return system_call(syscall::nanosleep, how_long, left);
}

unsigned sleep(unsigned seconds) {
  const struct timespec how_long = {static_cast<time_t>(seconds), 0};
  struct timespec left = {0, 0};
  return nanosleep(&how_long, &left) == 0 ? 0 : static_cast<unsigned>(left.tv_sec) + 1;
}

int usleep(useconds_t microseconds) {
  const struct timespec how_long = {static_cast<time_t>(microseconds / 1'000'000),
                                    static_cast<int32_t>(microseconds % 1'000'000 * 1000)};
  return nanosleep(&how_long, nullptr);
}

int ioctl(int fd, unsigned command, void* argument) {
  return system_call(syscall::ioctl, fd, command, argument);
}
int tcgetattr(int fd, struct termios* to) { return ioctl(fd, abi::tcgets, to); }
int tcsetattr(int fd, int when, const struct termios* from) {
  const unsigned command = abi::tcsets + static_cast<unsigned>(when);
  return ioctl(fd, command, const_cast<struct termios*>(from));
}
int isatty(int fd) {
  struct termios unused;
  return tcgetattr(fd, &unused) == 0;
}
pid_t tcgetpgrp(int fd) {
  pid_t group;
  return ioctl(fd, TIOCGPGRP, &group) < 0 ? -1 : group;
}
int tcsetpgrp(int fd, pid_t group) { return ioctl(fd, TIOCSPGRP, &group); }
