// names: the steps about names, directories and what stands in an inode.
#pragma once

#include <stdlib.h>

#include "user/tests/calls/files.h"

inline char base[160];  // the directory in which the sequence works

// The number of bytes of `path` in front of the part below the directory of the test; -1:
// elsewhere.
inline int base_length(const char* path) {
  const char* const end = strrchr(base, '/');
  const size_t length = static_cast<size_t>(end - base);
  return strncmp(path, base, length) == 0 ? static_cast<int>(length) : -1;
}

// The sequence never stays above the directory `base` is in.
inline void stay_below() {
  char where[512];
  const long length = raw_system_call(syscall::getcwd, to_register(where), sizeof where);
  const int prefix = failed(length) ? 0 : base_length(where);
  if (prefix < 0 || (prefix > 0 && !strcmp(where + prefix, "")))
    raw_system_call(syscall::chdir, to_register(base));
}

template <class... more>
void one_path(syscall call, const char* name, const char* format, more... arguments) {
  const argument path = paths.any();
  char rest[40];
  snprintf(rest, sizeof rest, format, arguments...);
  say(raw_system_call(call, to_register(path.pointer), to_register(arguments)...), "%s %s%s", name,
      path.shown, rest);
}

inline void two_paths(syscall call, const char* name) {
  const argument from = paths.any(), to = more_paths.any();
  say(raw_system_call(call, to_register(from.pointer), to_register(to.pointer)), "%s %s %s", name,
      from.shown, to.shown);
}

inline void step_link() { two_paths(syscall::link, "link"); }
inline void step_rename() { two_paths(syscall::rename, "rename"); }
inline void step_unlink() { one_path(syscall::unlink, "unlink", "%s", ""); }
inline void step_mkdir() { one_path(syscall::mkdir, "mkdir", " %o", roll.one_of(MODES)); }
inline void step_rmdir() { one_path(syscall::rmdir, "rmdir", "%s", ""); }
inline void step_access() { one_path(syscall::access, "access", " %u", roll.below(9)); }
inline void step_chmod() { one_path(syscall::chmod, "chmod", " %o", roll.one_of(MODES)); }
// When the length stays, Linux leaves the time (the fixed list): it is set anew.
inline void step_truncate() {
  const argument path = paths.any();
  const int size = roll.one_of(SIZES);
  const long answer = raw_system_call(syscall::truncate, to_register(path.pointer), size);
  say(answer, "truncate %s %d", path.shown, size);
  if (answer == 0) raw_system_call(syscall::utime, to_register(path.pointer), 0);
}
inline void step_mknod() {
  constexpr uint32_t kinds[] = {0100644, 0, 0644, 0040755, 0170000, 0120777};
  one_path(syscall::mknod, "mknod", " %o %u", roll.one_of(kinds), 0u);
}

inline void step_umask() {
  constexpr uint32_t masks[] = {0, 022, 027, 077, 0777, 01777, 0177777};
  const uint32_t mask = roll.one_of(masks);
  say(raw_system_call(syscall::umask, to_register(mask)), "umask %o", mask);
}

// The root directory refuses all that would change it.
inline void step_root() {
  constexpr struct {
    syscall call;
    const char* name;
  } calls[] = {{syscall::unlink, "unlink"},
               {syscall::rmdir, "rmdir"},
               {syscall::mkdir, "mkdir"},
               {syscall::creat, "creat"}};
  constexpr const char* roots[] = {"/", "//", "/.", "/..", "/../.."};
  const char* const root = roll.one_of(roots);
  if (roll.chance(40)) {
    const argument path = paths.plain();
    const bool first = roll.chance(50);
    const char *const from = first ? root : path.pointer, *const to = first ? path.pointer : root;
    const bool link = roll.chance(40);
    say(raw_system_call(link ? syscall::link : syscall::rename, to_register(from), to_register(to)),
        "%s \"%s\" \"%s\"", link ? "link" : "rename", from, to);
    return;
  }
  const auto& chosen = roll.one_of(calls);
  say(raw_system_call(chosen.call, to_register(root), 0755), "%s \"%s\"", chosen.name, root);
}

inline void step_stat() {
  const argument path = paths.any();
  const place to = any_place(sizeof(struct stat));
  const bool of_link = roll.chance(30);
  const long answer = raw_system_call(of_link ? syscall::lstat : syscall::stat,
                                      to_register(path.pointer), to_register(to.pointer));
  line l;
  l.add("%s %s %s", of_link ? "lstat" : "stat", path.shown, to.shown);
  l.add_answer(answer);
  if (answer == 0) add_stat(l, *reinterpret_cast<struct stat*>(to.pointer));
}

inline void step_utime() {
  const argument path = paths.any();
  constexpr int times[] = {0, 1, 1000000000, 1234567890, 1600000000};
  place from{memory, "MEMORY"};
  if (roll.chance(15)) from = any_place(8);
  const int time = roll.one_of(times);
  if (from.pointer && from.pointer != KERNEL_ADDRESS && from.pointer + 8 <= edge &&
      strcmp(from.shown, "TEXT")) {
    const int both[2] = {time, time};
    memcpy(from.pointer, both, sizeof both);
  }
  if (!strcmp(from.shown, "TEXT")) from = {nullptr, "NULL"};
  say(raw_system_call(syscall::utime, to_register(path.pointer), to_register(from.pointer)),
      "utime %s %s %d", path.shown, from.shown, time);
}

inline void step_chdir() {
  const argument path = paths.any();
  say(raw_system_call(syscall::chdir, to_register(path.pointer)), "chdir %s", path.shown);
  stay_below();
}

// The size of the memory is compared with the length of the path: one less is too small.
inline void step_getcwd() {
  memset(memory, 0xA5, sizeof memory);
  const long length = raw_system_call(syscall::getcwd, to_register(memory), 1024);
  const int prefix = failed(length) ? 0 : base_length(memory);
  say(failed(length) ? length : length - prefix, "getcwd -> %s",
      failed(length) ? "" : memory + prefix);
  if (failed(length)) return;
  const int more = static_cast<int>(roll.below(3)) - 1;
  const long again = raw_system_call(syscall::getcwd, to_register(memory), length + more);
  say(failed(again) ? again : again - prefix, "getcwd size %+d", more);
  const place to = any_place(static_cast<uint32_t>(length));
  const long once_more = raw_system_call(syscall::getcwd, to_register(to.pointer), length);
  say(failed(once_more) ? once_more : 0, "getcwd %s", to.shown);
}

// A name of the greatest length is the same whatever that length is.
inline uint32_t hash_of_name(const char* name) {
  const size_t length = strlen(name);
  return length + 1 < name_limit ? hash_of(name, length)
                                 : name_limit - static_cast<uint32_t>(length);
}

// The names in a directory, in no order: the sum of their hashes. Memory behind the records stays.
inline void step_getdents() {
  const argument path = paths.plain();
  const long fd = raw_system_call(syscall::open, to_register(path.pointer), O_RDONLY);
  if (failed(fd)) return void(say(fd, "open %s for getdents", path.shown));
  uint32_t names = 0, sum = 0;
  memset(memory, 0xA5, sizeof memory);
  const long length = raw_system_call(syscall::getdents, fd, to_register(memory), sizeof memory);
  for (long at = 0; at < length; ++names) {
    const abi::dirent* const entry = reinterpret_cast<const abi::dirent*>(memory + at);
    const char* const name = memory + at + abi::dirent_name_offset;
    sum += hash_of_name(name);
    at += entry->record_length;
  }
  say(failed(length) ? length : static_cast<long>(names), "getdents %s names %08x", path.shown,
      sum);
  if (length > 0)
    say(raw_system_call(syscall::getdents, fd, to_register(memory), sizeof memory),
        "getdents at the end");
  raw_system_call(syscall::close, fd);
}

inline void step_getdents_errors() {
  const int fd = any_fd();
  constexpr uint32_t counts[] = {0, 1, 11, 0x4000};
  const uint32_t count = roll.one_of(counts);
  const place to = any_place(count);
  const long answer =
      raw_system_call(syscall::getdents, fd, to_register(to.pointer), to_register(count));
  if (kind_is(fd, S_IFDIR)) raw_system_call(syscall::lseek, fd, 0, SEEK_SET);
  say(answer > 0 ? 1 : answer, "getdents %d %s %u", fd, to.shown, count);
}

inline void step_statfs() {
  const argument path = paths.any();
  const place to = any_place(sizeof(abi::statfs));
  say(raw_system_call(syscall::statfs, to_register(path.pointer), to_register(to.pointer)),
      "statfs %s %s", path.shown, to.shown);
}
