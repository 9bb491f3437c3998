// The binary interface between user programs and the kernel: Linux i386's numbers and layouts.
// The kernel, the programs' libc and the tests all read them here. Lower-case names, because a
// host's headers own the upper-case ones as macros.
#pragma once

#include "lib/types.h"

namespace abi {

// System calls: `int 0x80`, number in eax, arguments in ebx ecx edx esi edi, result or -errno in
// eax.
enum class syscall : u32 {
  exit = 1,
  fork = 2,
  read = 3,
  write = 4,
  open = 5,
  close = 6,
  waitpid = 7,
  creat = 8,
  link = 9,
  unlink = 10,
  execve = 11,
  chdir = 12,
  time = 13,
  mknod = 14,
  chmod = 15,
  lseek = 19,
  getpid = 20,
  mount = 21,
  umount = 22,
  stime = 25,
  alarm = 27,
  pause = 29,
  utime = 30,
  access = 33,
  sync = 36,
  kill = 37,
  rename = 38,
  mkdir = 39,
  rmdir = 40,
  dup = 41,
  pipe = 42,
  times = 43,
  brk = 45,
  signal = 48,
  umount2 = 52,
  ioctl = 54,
  fcntl = 55,
  setpgid = 57,
  umask = 60,
  dup2 = 63,
  getppid = 64,
  getpgrp = 65,
  setsid = 66,
  sigaction = 67,
  sgetmask = 68,
  ssetmask = 69,
  sigpending = 73,
  reboot = 88,
  truncate = 92,
  ftruncate = 93,
  statfs = 99,
  syslog = 103,
  stat = 106,
  lstat = 107,
  fstat = 108,
  fsync = 118,
  sigreturn = 119,
  sigprocmask = 126,
  getpgid = 132,
  getdents = 141,
  fdatasync = 148,
  nanosleep = 162,
  getcwd = 183,
  clock_gettime = 265,
};

// open
constexpr u32 o_accmode = 3, o_rdonly = 0, o_wronly = 1, o_rdwr = 2;
constexpr u32 o_creat = 0100, o_excl = 0200, o_noctty = 0400, o_trunc = 01000, o_append = 02000;
constexpr u32 o_nonblock = 04000, o_directory = 0200000;
// lseek
constexpr u32 seek_set = 0, seek_cur = 1, seek_end = 2;
// fcntl
constexpr u32 f_dupfd = 0, f_getfd = 1, f_setfd = 2, f_getfl = 3, f_setfl = 4, fd_cloexec = 1;
// modes
constexpr u16 s_ifmt = 0170000, s_ifreg = 0100000, s_ifdir = 0040000, s_ifchr = 0020000,
              s_ifblk = 0060000, s_ififo = 0010000, s_iflnk = 0120000;
// waitpid
constexpr u32 wnohang = 1, wuntraced = 2;
// mount, umount2
constexpr u32 ms_rdonly = 1, mnt_force = 1;
// reboot: magic1, magic2, command, flags. ebusy while blocks wait for a stick; with reboot_force,
// which Linux does not have, they are given up.
constexpr u32 reboot_magic1 = 0xfee1dead, reboot_magic2 = 672274793;
constexpr u32 reboot_restart = 0x01234567, reboot_power_off = 0x4321fedc, reboot_halt = 0xcdef0123;
constexpr u32 reboot_force = 1;
// clock_gettime
constexpr u32 clock_realtime = 0, clock_monotonic = 1;
// umount -f and signals
constexpr u32 sighup = 1, sigint = 2, sigquit = 3, sigill = 4, sigtrap = 5, sigabrt = 6, sigbus = 7,
              sigfpe = 8, sigkill = 9, sigusr1 = 10, sigsegv = 11, sigusr2 = 12, sigpipe = 13,
              sigalrm = 14, sigterm = 15, sigchld = 17, sigcont = 18, sigstop = 19, sigtstp = 20,
              sigttin = 21, sigttou = 22, sigurg = 23, sigwinch = 28, nsig = 32;
constexpr u32 sig_dfl = 0, sig_ign = 1;
constexpr u32 sig_block = 0, sig_unblock = 1, sig_setmask = 2;
constexpr u32 sa_nocldstop = 1, sa_restorer = 0x04000000, sa_restart = 0x10000000,
              sa_nodefer = 0x40000000, sa_resethand = 0x80000000;

struct sigaction {  // call 67
  u32 handler;
  u32 mask;
  u32 flags;
  u32 restorer;
};
static_assert(sizeof(sigaction) == 16);

struct timespec {
  i32 seconds;
  i32 nanoseconds;
};

struct stat {  // calls 106 to 108
  u16 dev, pad1;
  u32 ino;
  u16 mode, nlink, uid, gid;
  u16 rdev, pad2;
  u32 size, blksize, blocks;
  u32 atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
  u32 unused4, unused5;
};
static_assert(sizeof(stat) == 64);

struct dirent {  // call 141; the name follows, NUL-terminated; records are multiples of 4 bytes
  u32 ino;
  u32 offset;  // of the next entry
  u16 record_length;
};
constexpr u32 dirent_name_offset = 10;

struct statfs {  // call 99
  u32 type, bsize, blocks, bfree, bavail, files, ffree;
  u32 fsid[2];
  u32 namelen, frsize, flags, spare[4];
};
static_assert(sizeof(statfs) == 64);

// tty
constexpr u32 tcgets = 0x5401, tcsets = 0x5402, tcsetsw = 0x5403, tcsetsf = 0x5404,
              tiocgpgrp = 0x540F, tiocspgrp = 0x5410, tiocgwinsz = 0x5413;
struct termios {
  u32 iflag, oflag, cflag, lflag;
  u8 line;
  u8 cc[19];
};
static_assert(sizeof(termios) == 36);
constexpr u32 tty_icrnl = 0400, tty_opost = 1, tty_onlcr = 4, tty_isig = 1, tty_icanon = 2,
              tty_echo = 010, tty_echoe = 020, tty_tostop = 0400;
enum tty_cc : u8 {
  cc_intr = 0,
  cc_quit = 1,
  cc_erase = 2,
  cc_kill = 3,
  cc_eof = 4,
  cc_time = 5,
  cc_min = 6,
  cc_susp = 10
};
struct winsize {
  u16 rows, columns, xpixel, ypixel;
};

// Device numbers: mem 1 (null 3, zero 5), tty 4 (ttyS0 64), 5 (tty 0, console 1), info files 10.
constexpr u8 major_mem = 1, major_tty = 4, major_console = 5, major_info = 10;
// The minors of major 10: text files about the kernel, read whole; `ckpt` also takes commands.
enum class info_file : u8 {
  ckpt = 1,
  tasks = 2,
  mounts = 3,
  disks = 4,
  usb = 5,
  kmsg = 6,
  memory = 7,
  counts = 8,
  files = 9
};

}  // namespace abi
