// files: the steps about descriptors and open files.
#pragma once

#include <sys/stat.h>

#include "user/tests/calls/arguments.h"

using abi::syscall;

inline bool kind_is(int fd, mode_t kind) {
  struct stat about;
  return raw_system_call(syscall::fstat, fd, to_register(&about)) == 0 &&
         (about.st_mode & S_IFMT) == kind;
}

// Before a read or write: a pipe must not make the sequence wait.
inline bool prepared_pipe(int fd) {
  if (!kind_is(fd, S_IFIFO)) return false;
  const long flags = raw_system_call(syscall::fcntl, fd, F_GETFL);
  raw_system_call(syscall::fcntl, fd, F_SETFL, flags | long{abi::o_nonblock});
  return true;
}

inline void step_open() {
  const argument path = paths.any();
  uint32_t flags = roll.below(3);
  constexpr uint32_t bits[] = {abi::o_creat,  abi::o_creat,    abi::o_excl,      abi::o_trunc,
                               abi::o_append, abi::o_nonblock, abi::o_directory, abi::o_noctty};
  for (const uint32_t bit : bits)
    if (roll.chance(25)) flags |= bit;
  // Linux before 6.4 made a file all the same; the fixed list asks for it.
  if (flags & abi::o_creat) flags &= ~abi::o_directory;
  const uint32_t mode = roll.one_of(MODES);
  say(raw_system_call(syscall::open, to_register(path.pointer), to_register(flags),
                      to_register(mode)),
      "open %s %s %o", path.shown, flag_text(flags).text(), mode);
}

inline void step_creat() {
  const argument path = paths.any();
  const uint32_t mode = roll.one_of(MODES);
  say(raw_system_call(syscall::creat, to_register(path.pointer), to_register(mode)), "creat %s %o",
      path.shown, mode);
}

inline void step_close() {
  const int fd = any_fd();
  say(raw_system_call(syscall::close, fd), "close %d", fd);
}

constexpr uint32_t COUNTS[] = {0,    1,    2,    10,   100,  511,  1023,
                               1024, 1025, 2048, 3000, 4096, 5000, 9000};

inline void step_read() {
  const int fd = any_fd();
  const uint32_t count = roll.one_of(COUNTS);
  place to = any_place(count);
  // A piece of the memory would do for some kernels: then the position differs (the fixed list).
  if (prepared_pipe(fd) || !strcmp(to.shown, "EDGE-size/2")) to = {memory, "MEMORY"};
  const long answer =
      raw_system_call(syscall::read, fd, to_register(to.pointer), to_register(count));
  if (failed(answer) || to.pointer == nullptr || to.pointer == KERNEL_ADDRESS)
    say(answer, "read %d %s %u", fd, to.shown, count);
  else
    say_memory(answer, to.pointer, count, "read %d %s %u", fd, to.shown, count);
}

inline void fill_pattern(size_t count) {
  for (size_t i = 0; i < count; ++i)
    memory[i] = static_cast<char>(i * 7 + static_cast<size_t>(step_now));
}

inline void step_write() {
  const int fd = any_fd();
  uint32_t count = roll.one_of(COUNTS);
  place from = any_place(count);
  if (prepared_pipe(fd)) {
    count %= 8;  // no sequence fills a pipe: the step about pipes does
    from = {memory, "MEMORY"};
  }
  // Linux sets the time of a file, or writes a part, before it meets bad memory (the fixed list).
  if (kind_is(fd, S_IFREG) && strcmp(from.shown, "EDGE-size")) from = {memory, "MEMORY"};
  if (!strcmp(from.shown, "EDGE-size/2") || !strcmp(from.shown, "TEXT")) from = {memory, "MEMORY"};
  if (from.pointer == memory) fill_pattern(count);
  if (!strcmp(from.shown, "EDGE-size")) memset(from.pointer, 'E', count);
  say(raw_system_call(syscall::write, fd, to_register(from.pointer), to_register(count)),
      "write %d %s %u", fd, from.shown, count);
}

inline void step_lseek() {
  const int fd = any_fd();
  constexpr int offsets[] = {
      0,     1,     5,      10,        1023,      1024,        1025,
      4096,  7168,  7169,   9000,      70000,     -1,          -10,
      -1024, -5000, 531456, 268966911, 268966912, 0x7FFF'FFFF, -0x7FFF'FFFF - 1};
  constexpr int whences[] = {SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_CUR, SEEK_END, SEEK_END, 5, -1, 9};
  int offset = roll.one_of(offsets), whence = roll.one_of(whences);
  if (kind_is(fd, S_IFDIR)) offset = 0, whence = SEEK_SET;  // a position in a directory is a riddle
  say(raw_system_call(syscall::lseek, fd, offset, whence), "lseek %d %d %d", fd, offset, whence);
  // Beyond 2^31 - 1 the positions of the kernels part (differ.py says why).
  if (offset == 0x7FFF'FFFF && whence != SEEK_SET) raw_system_call(syscall::lseek, fd, 0, SEEK_SET);
}

inline void step_dup() {
  const int fd = any_fd();
  say(raw_system_call(syscall::dup, fd), "dup %d", fd);
}

inline void step_dup2() {
  const int from = any_fd(), to = any_fd();
  say(raw_system_call(syscall::dup2, from, to), "dup2 %d %d", from, to);
}

inline void step_fcntl() {
  const int fd = any_fd();
  constexpr int commands[] = {F_DUPFD, F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, 99, -1};
  const int command = roll.one_of(commands);
  constexpr uint32_t lowest[] = {0, 1, 5, 10, 29, 30, 31, 32, 33, 0xFFFF'FFFF};
  constexpr uint32_t status[] = {0,
                                 abi::o_append,
                                 abi::o_nonblock,
                                 abi::o_append | abi::o_nonblock,
                                 abi::o_creat | abi::o_excl | abi::o_trunc,
                                 abi::o_rdwr};
  uint32_t value = roll.below(4);
  if (command == F_DUPFD) value = roll.one_of(lowest);
  if (command == F_SETFL) value = roll.one_of(status);
  say(raw_system_call(syscall::fcntl, fd, command, to_register(value)), "fcntl %d %d %x", fd,
      command, value);
}

inline void step_pipe() {
  const place to = any_place(8);
  int* const ends = reinterpret_cast<int*>(to.pointer);
  const long answer = raw_system_call(syscall::pipe, to_register(ends));
  say_memory(answer, ends, 8, "pipe %s", to.shown);
}

// What stat says: the mode, the links, the owner, the size of a file, and a modification time that
// a program has set. Numbers of devices, inodes and blocks and the sizes of directories are each
// kernel's own.
inline void add_stat(line& l, const struct stat& about) {
  l.add(" mode %o links %u owner %u.%u", about.st_mode, about.st_nlink, about.st_uid, about.st_gid);
  if (S_ISREG(about.st_mode)) l.add(" size %u", about.st_size);
  if (S_ISCHR(about.st_mode)) l.add(" device %x", about.st_rdev);
  const bool was_set = about.st_mtime < 1'700'000'000;
  if (was_set) l.add(" time %d", about.st_mtime);
}

inline void step_fstat() {
  const int fd = any_fd();
  const place to = any_place(sizeof(struct stat));
  const long answer = raw_system_call(syscall::fstat, fd, to_register(to.pointer));
  line l;
  l.add("fstat %d %s", fd, to.shown);
  l.add_answer(answer);
  if (answer == 0) add_stat(l, *reinterpret_cast<struct stat*>(to.pointer));
}

constexpr int SIZES[] = {0,
                         1,
                         10,
                         1023,
                         1024,
                         1025,
                         5000,
                         7168,
                         7169,
                         100000,
                         531456,
                         531457,
                         268966912,
                         268966913,
                         0x7FFF'FFFF,
                         -1,
                         -0x7FFF'FFFF - 1};

inline void step_ftruncate() {
  const int fd = any_fd(), size = roll.one_of(SIZES);
  say(raw_system_call(syscall::ftruncate, fd, size), "ftruncate %d %d", fd, size);
}

inline void step_fsync() {
  const int fd = any_fd();
  const bool data = roll.chance(50);
  say(raw_system_call(data ? syscall::fdatasync : syscall::fsync, fd), "%s %d",
      data ? "fdatasync" : "fsync", fd);
}

inline void step_ioctl() {
  const int fd = any_fd();
  const place to = any_place(sizeof(abi::termios));
  say(raw_system_call(syscall::ioctl, fd, abi::tcgets, to_register(to.pointer)),
      "ioctl %d TCGETS %s", fd, to.shown);
}
