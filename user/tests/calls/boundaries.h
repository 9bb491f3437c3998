// boundaries: the fixed list. Each entry runs in a process and files of its own, and tries what
// random steps seldom or never meet: limits, matrices of all combinations, time.
#pragma once

#include <initializer_list>

#include "user/tests/calls/names.h"
#include "user/tests/calls/pipes.h"
#include "user/tests/calls/processes.h"

struct boundary {
  const char* name;
  void (*try_it)();
};

namespace boundary_tests {

inline long call(syscall number, const char* name, long a, long b = 0, long c = 0) {
  return say(raw_system_call(number, a, b, c), "%s", name);
}

inline long on_path(syscall number, const char* name, const char* path, long b = 0, long c = 0) {
  return say(raw_system_call(number, to_register(path), b, c), "%s %s %lx %lx", name, path, b, c);
}

inline void make_file(const char* path) { close(open(path, O_CREAT | O_RDWR, 0644)); }

// Removes what an entry may have left in the directory, two levels deep.
inline void sweep(const char* directory) {
  const long fd = raw_system_call(syscall::open, to_register(directory), O_RDONLY);
  if (failed(fd)) return;
  static char records[4][8192];
  static int depth;
  char* const entries = records[depth++];
  const long length =
      raw_system_call(syscall::getdents, fd, to_register(entries), sizeof records[0]);
  close(static_cast<int>(fd));
  for (long at = 0; at < length;) {
    const abi::dirent* const entry = reinterpret_cast<const abi::dirent*>(entries + at);
    const char* const name = entries + at + abi::dirent_name_offset;
    at += entry->record_length;
    if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (unlink(path) < 0 && depth < 4) sweep(path), rmdir(path);
  }
  --depth;
}

// --- open: every combination of flags with every kind of name
// -------------------------------------

inline void open_matrix() {
  constexpr const char* names[] = {"file",     "dir",       "missing", "dir/",  "file/",
                                   "missing/", "missing/x", "file/x",  "dir/.", "/dev/null"};
  constexpr uint32_t bits[] = {abi::o_creat, abi::o_excl, abi::o_trunc, abi::o_append,
                               abi::o_directory};
  for (const char* name : names)
    for (uint32_t mode = 0; mode < 3; ++mode)
      for (uint32_t chosen = 0; chosen < 32; ++chosen) {
        uint32_t flags = mode;
        for (uint32_t i = 0; i < 5; ++i)
          if (chosen >> i & 1) flags |= bits[i];
        if (flags & abi::o_creat && flags & abi::o_directory) continue;
        mkdir("dir", 0755);
        const int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644);
        write(fd, "content", 7);
        close(fd);
        const long opened =
            raw_system_call(syscall::open, to_register(name), to_register(flags), 0640);
        line l;
        l.add("open %s %s", name, flag_text(flags).text());
        l.add_answer(opened);
        struct stat about;
        if (!failed(opened) && fstat(static_cast<int>(opened), &about) == 0) add_stat(l, about);
        if (!failed(opened)) close(static_cast<int>(opened));
        unlink("missing");
      }
}

inline void open_odd() {
  make_file("file");
  mkdir("dir", 0755);
  call(syscall::open, "open without an access mode", to_register("file"), abi::o_accmode);
  on_path(syscall::open, "open", "new", abi::o_creat | abi::o_directory, 0644);
  on_path(syscall::open, "open", "file", abi::o_creat | abi::o_directory, 0644);
  on_path(syscall::open, "open", "dir", abi::o_creat | abi::o_directory, 0644);
  call(syscall::access, "access new", to_register("new"));
  const long fd = raw_system_call(syscall::open, to_register("dir"), abi::o_directory);
  say(raw_system_call(syscall::fcntl, fd, F_GETFL), "fcntl F_GETFL of a directory");
  say(raw_system_call(syscall::open, to_register(own_path), O_WRONLY), "open SELF WRONLY");
}

// --- rename, link: every pair
// ----------------------------------------------------------------------

inline void make_tree() {
  sweep(".");
  make_file("file");
  make_file("other");
  link("file", "twin");
  mkdir("empty", 0755);
  mkdir("dir", 0755);
  mkdir("dir/sub", 0755);
  make_file("dir/file");
  mkdir("full", 0755);
  mkdir("full/sub", 0700);
}

constexpr const char* TREE[] = {
    "file",        "other",   "twin",      "empty",  "dir",      "dir/sub", "dir/file",  "full",
    "full/sub",    "missing", "missing/x", "file/x", ".",        "..",      "dir/.",     "dir/..",
    "dir/sub/new", "dir/new", "file/",     "empty/", "missing/", "",        "dir/sub/.."};

inline void pair_matrix(syscall number, const char* name) {
  for (const char* from : TREE)
    for (const char* to : TREE) {
      make_tree();
      say(raw_system_call(number, to_register(from), to_register(to)), "%s \"%s\" \"%s\"", name,
          from, to);
      line l;
      l.add("then");
      struct stat about;
      for (const char* path : {"file", "twin", "empty", "dir", "dir/sub", "missing", "full", "."})
        l.add(" %d", stat(path, &about) == 0 ? about.st_nlink : -1);
    }
}

inline void rename_matrix() { pair_matrix(syscall::rename, "rename"); }
inline void link_matrix() { pair_matrix(syscall::link, "link"); }

inline void single_matrix() {
  constexpr struct {
    syscall number;
    const char* name;
    long second;
  } calls[] = {{syscall::unlink, "unlink", 0},      {syscall::rmdir, "rmdir", 0},
               {syscall::mkdir, "mkdir", 0755},     {syscall::creat, "creat", 0644},
               {syscall::mknod, "mknod", 0100600},  {syscall::truncate, "truncate", 3},
               {syscall::truncate, "truncate", -1}, {syscall::access, "access", 7},
               {syscall::access, "access", 8},      {syscall::chdir, "chdir", 0},
               {syscall::chmod, "chmod", 0711},     {syscall::utime, "utime", 0},
               {syscall::open, "open", O_DIRECTORY}};
  for (const auto& one : calls)
    for (const char* path : TREE) {
      make_tree();
      say(raw_system_call(one.number, to_register(path), one.second, 0), "%s \"%s\" %ld", one.name,
          path, one.second);
      chdir(base);
    }
}

// --- limits of names and paths
// -----------------------------------------------------------------------

inline void name_limits() {
  static char name[600];
  make_file("file");
  for (int more = -1; more <= 1; ++more)
    for (const char* prefix : {"", "./", "missing/", "file/"}) {
      const size_t start = strlen(prefix);
      memcpy(name, prefix, start);
      memset(name + start, 'n', name_limit + static_cast<uint32_t>(more));
      name[start + name_limit + static_cast<uint32_t>(more)] = 0;
      const long path = to_register(name);
      note("%s and a name of the limit %+d", prefix, more);
      call(syscall::stat, "stat", path, to_register(memory));
      call(syscall::mkdir, "mkdir", path, 0755);
      call(syscall::rmdir, "rmdir", path);
      call(syscall::creat, "creat", path, 0644);
      call(syscall::open, "open", path, O_RDONLY);
      call(syscall::link, "link to", to_register("file"), path);
      call(syscall::rename, "rename to", to_register("file"), path);
      call(syscall::rename, "rename from", path, to_register("file"));
      call(syscall::truncate, "truncate", path, 1);
      call(syscall::access, "access", path, 0);
      call(syscall::chdir, "chdir", path);
      call(syscall::unlink, "unlink", path);
    }
}

inline void path_limits() {
  static char path[5000];
  make_file("a");
  for (int more = -1; more <= 1; ++more) {
    const uint32_t length = path_limit - 1 + static_cast<uint32_t>(more);
    for (uint32_t i = 0; i < length; ++i) path[i] = i % 2 ? '/' : '.';
    if (length % 2 == 0) path[length - 2] = '/';
    path[length - 1] = 'a';
    path[length] = 0;
    note("a path of the limit %+d", more);
    call(syscall::stat, "stat", to_register(path), to_register(memory));
    call(syscall::open, "open", to_register(path), O_RDONLY);
    call(syscall::rename, "rename", to_register(path), to_register(path));
    call(syscall::link, "link", to_register("a"), to_register(path));
    call(syscall::execve, "execve", to_register(path));
  }
}

// --- descriptors
// -------------------------------------------------------------------------------------

inline void descriptor_limits() {
  int opened = 0;
  while (open("/dev/null", O_RDONLY) >= 0) ++opened;
  note("%d opened", opened);
  call(syscall::open, "open", to_register("new"), O_CREAT | O_RDWR, 0644);
  call(syscall::access, "access new", to_register("new"), 0);
  call(syscall::dup, "dup", 0);
  call(syscall::pipe, "pipe", to_register(memory));
  call(syscall::fcntl, "F_DUPFD 0", 0, F_DUPFD, 0);
  close(7);
  call(syscall::pipe, "pipe with one free", to_register(memory));
  call(syscall::fcntl, "F_DUPFD 8", 0, F_DUPFD, 8);
  call(syscall::fcntl, "F_DUPFD 7", 0, F_DUPFD, 7);
  for (const int to : {30, 32, 33, 1000, -1})
    say(raw_system_call(syscall::dup2, 0, to), "dup2 0 %d", to);
  for (const int to : {30, 32, 33, 1000, -1})
    say(raw_system_call(syscall::dup2, 99, to), "dup2 99 %d", to);
  for (const int from : {31 - 1, 32, -1})
    say(raw_system_call(syscall::fcntl, 0, F_DUPFD, from), "F_DUPFD %d", from);
}

inline void shared_position() {
  const int fd = open("file", O_CREAT | O_RDWR, 0644);
  write(fd, "0123456789", 10);
  const int copy = dup(fd);
  call(syscall::lseek, "lseek", fd, 3, SEEK_SET);
  call(syscall::lseek, "lseek of the copy", copy, 0, SEEK_CUR);
  call(syscall::fcntl, "F_SETFL", copy, F_SETFL, abi::o_append);
  call(syscall::fcntl, "F_GETFL", fd, F_GETFL);
  call(syscall::write, "write", fd, to_register("x"), 1);
  call(syscall::lseek, "lseek", copy, 0, SEEK_CUR);
  unlink("file");
  struct stat about;
  fstat(fd, &about);
  line l;
  l.add("unlinked:");
  add_stat(l, about);
}

// --- positions and sizes
// ------------------------------------------------------------------------------

inline void size_limits() {
  constexpr long most = 268966912;  // of a MINIX file
  const int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644);
  for (const long at : {most - 10, most - 1, most, most + 1, 0x7FFF'FFFEL, 0x7FFF'FFFFL}) {
    say(raw_system_call(syscall::lseek, fd, at, SEEK_SET), "lseek %ld", at);
    call(syscall::write, "write 5", fd, to_register("hello"), 5);
    call(syscall::write, "write 5", fd, to_register("hello"), 5);
    call(syscall::write, "write 0", fd, to_register("hello"), 0);
    call(syscall::read, "read 0", fd, to_register(memory), 0);
    call(syscall::lseek, "lseek", fd, 0, SEEK_END);
  }
  for (const long size : {most - 1, most, most + 1, 0x7FFF'FFFFL, -1L}) {
    say(raw_system_call(syscall::ftruncate, fd, size), "ftruncate %ld", size);
    say(raw_system_call(syscall::truncate, to_register("file"), size), "truncate %ld", size);
    call(syscall::lseek, "lseek", fd, 0, SEEK_END);
  }
  call(syscall::lseek, "lseek", fd, 0x7FFF'FFFF, SEEK_SET);
  call(syscall::lseek, "lseek beyond 2^31 - 1", fd, 1, SEEK_CUR);
  call(syscall::lseek, "lseek back from there", fd, -0x7FFF'FFFF - 1, SEEK_CUR);
  call(syscall::truncate, "truncate missing -1", to_register("missing"), -1);
  call(syscall::ftruncate, "ftruncate 99 -1", 99, -1);
}

inline void truncation_zeroes() {
  const int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644);
  constexpr int sizes[] = {1, 1023, 1024, 1025, 7167, 7168, 7169, 20000};
  for (const int first : sizes)
    for (const int second : sizes) {
      ftruncate(fd, 0);
      lseek(fd, 0, SEEK_SET);
      memset(memory, 'z', sizeof memory);
      write(fd, memory, 16384);
      ftruncate(fd, first);
      ftruncate(fd, second);
      lseek(fd, 0, SEEK_END);
      write(fd, "end", 3);
      lseek(fd, 0, SEEK_SET);
      uint32_t hash = 0;
      for (ssize_t n; (n = read(fd, memory, 1000)) > 0;)
        hash = hash * 31 + hash_of(memory, static_cast<size_t>(n));
      note("truncated to %d, then to %d: %08x", first, second, hash);
    }
}

inline void times_kept() {
  constexpr int times[2] = {1000000000, 1000000000};
  constexpr struct {
    const char* name;
    void (*act)(int fd);
  } acts[] = {{"nothing", [](int) {}},
              {"write of nothing", [](int fd) { write(fd, "", 0); }},
              {"write", [](int fd) { write(fd, "x", 1); }},
              {"read", [](int fd) { read(fd, memory, 1); }},
              {"chmod", [](int) { chmod("file", 0600); }},
              {"link", [](int) { link("file", "second"), unlink("second"); }},
              {"rename", [](int) { rename("file", "second"), rename("second", "file"); }},
              {"rename over a link",
               [](int) { link("file", "second"), rename("other", "second"), unlink("second"); }},
              {"ftruncate to the same", [](int fd) { ftruncate(fd, 0); }},
              {"ftruncate", [](int fd) { ftruncate(fd, 5); }},
              {"truncate to the same", [](int) { truncate("file", 0); }},
              {"O_TRUNC of nothing", [](int) { close(open("file", O_WRONLY | O_TRUNC)); }},
              {"open", [](int) { close(open("file", O_RDWR)); }}};
  for (const auto& one : acts) {
    make_file("other");
    const int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644);
    raw_system_call(syscall::utime, to_register("file"), to_register(times));
    one.act(fd);
    struct stat about;
    fstat(fd, &about);
    note("after %s: %s", one.name, about.st_mtime == times[0] ? "the old time" : "a new time");
    close(fd);
    unlink("file");
  }
}

inline void directory_times() {
  constexpr int times[2] = {1000000000, 1000000000};
  constexpr struct {
    const char* name;
    void (*act)();
  } acts[] = {
      {"creat", [] { make_file("dir/x"); }},       {"open", [] { make_file("dir/x"); }},
      {"link", [] { link("dir/x", "dir/y"); }},    {"rename", [] { rename("dir/y", "dir/z"); }},
      {"unlink", [] { unlink("dir/z"); }},         {"mkdir", [] { mkdir("dir/d", 0755); }},
      {"stat", [] { access("dir/x", 0); }},        {"rename out", [] { rename("dir/d", "d"); }},
      {"rename in", [] { rename("d", "dir/d"); }}, {"rmdir", [] { rmdir("dir/d"); }}};
  mkdir("dir", 0755);
  for (const auto& one : acts) {
    raw_system_call(syscall::utime, to_register("dir"), to_register(times));
    one.act();
    struct stat about;
    stat("dir", &about);
    note("directory after %s: %s", one.name,
         about.st_mtime == times[0] ? "the old time" : "a new time");
  }
}

// --- pointers
// -----------------------------------------------------------------------------------------

inline void crossing_pointers() {
  const int zero = open("/dev/zero", O_RDWR), file = open("file", O_CREAT | O_RDWR | O_TRUNC, 0644);
  memset(memory, 'm', sizeof memory);
  write(file, memory, 8000);
  lseek(file, 0, SEEK_SET);
  call(syscall::read, "read zero into the last 10 bytes", zero, to_register(edge - 10), 10);
  call(syscall::read, "read zero over the edge", zero, to_register(edge - 10), 11);
  call(syscall::read, "read file into the last 10 bytes", file, to_register(edge - 10), 10);
  call(syscall::read, "read file over the edge", file, to_register(edge - 10), 11);
  call(syscall::read, "read file at the edge", file, to_register(edge), 1);
  call(syscall::read, "read nothing at the edge", file, to_register(edge), 0);
  call(syscall::read, "read nothing at null", file, 0, 0);
  call(syscall::read, "read nothing from a bad descriptor", 99, 0, 0);
  lseek(file, 0, SEEK_SET);
  call(syscall::write, "write file from the last 10 bytes", file, to_register(edge - 10), 10);
  call(syscall::write, "write file over the edge", file, to_register(edge - 10), 11);
  call(syscall::write, "write file at the edge", file, to_register(edge), 1);
  call(syscall::write, "write nothing at null", file, 0, 0);
  int ends[2];
  pipe(ends);
  call(syscall::write, "write pipe at the edge", ends[1], to_register(edge), 1);
  call(syscall::write, "write pipe", ends[1], to_register("ab"), 2);
  call(syscall::read, "read pipe at the edge", ends[0], to_register(edge), 1);
  call(syscall::read, "read pipe", ends[0], to_register(memory), 1);
  lseek(file, 0, SEEK_END);
  call(syscall::read, "read null at the end", file, 0, 5);
  call(syscall::read, "read with the greatest count", file, to_register(memory), 0x7FFF'FFFF);
}

inline void struct_pointers() {
  for (uint32_t inside : {0u, 1u, 32u, 63u, 64u}) {
    note("%u bytes in front of the edge", inside);
    char* const at = edge - inside;
    call(syscall::stat, "stat", to_register("."), to_register(at));
    call(syscall::fstat, "fstat", LOG, to_register(at));
    call(syscall::pipe, "pipe", to_register(at));
    say(failed(raw_system_call(syscall::times, to_register(at))), "times fails");
  }
}

// --- children
// -----------------------------------------------------------------------------------------

inline void wait_pointer() {
  const pid_t child = start_child([] { _exit(3); });
  int status;
  note("waitpid CHILD KERNEL = %s",
       pid_name(raw_system_call(syscall::waitpid, child, to_register(KERNEL_ADDRESS), 0)));
  tell_wait(child, "CHILD", 0, &status);
}

inline void ignored_children() {
  raw_system_call(syscall::signal, SIGCHLD, abi::sig_ign);
  int status;
  const pid_t child = start_child([] { _exit(3); });
  tell_wait(child, "CHILD", 0, &status);
  tell_wait(-1, "-1", WNOHANG, &status);
  raw_system_call(syscall::signal, SIGCHLD, abi::sig_dfl);
  const pid_t second = start_child([] { _exit(4); });
  tell_wait(second, "CHILD", 0, &status);
}

// The child's end is told by a handler; waitpid finds the child whatever came first.
inline void handled_children() {
  const abi::sigaction action = with_handler(handler_address(), 0, 0);
  raw_system_call(syscall::sigaction, SIGCHLD, to_register(&action), 0);
  int status;
  for (int i = 0; i < 5; ++i) {
    const pid_t child = start_child([] {
      usleep(20'000);
      _exit(5);
    });
    tell_wait(child, "CHILD", 0, &status);
    tell_caught();
  }
}

inline void orphan() {
  int ends[2];
  pipe(ends);
  const pid_t child = start_child([&] {
    start_child([&] {
      for (int i = 0; i < 1000 && getppid() == parent_pid; ++i) usleep(10'000);
      note("the father has %s", getppid() == parent_pid ? "stayed" : "changed");
      write(ends[1], "x", 1);
    });
    _exit(0);
  });
  gather(child);
  close(ends[1]);
  char c;
  say(raw_system_call(syscall::read, ends[0], to_register(&c), 1), "the orphan speaks");
}

inline void groups_after_exec() {
  int ends[2], back[2];
  pipe(ends);
  pipe(back);
  const pid_t child = start_child([&] {
    close(back[0]);
    fcntl(back[1], F_SETFD, FD_CLOEXEC);
    const char* const arguments[] = {own_path, "wait", "0", "x", nullptr};
    close(ends[1]);
    dup2(ends[0], 0);
    execve(own_path, const_cast<char* const*>(arguments), nullptr);
  });
  close(back[1]);
  char c;
  read(back[0], &c, 1);  // ends when the program has been executed
  call(syscall::setpgid, "setpgid of a child that has executed", child, 0);
  close(ends[1]);
  gather(child);
}

// --- signals
// -----------------------------------------------------------------------------------------

inline void signal_numbers() {
  for (const int number : {-1, 0, 1, 9, 19, 31, 32, 33, 64, 65}) {
    abi::sigaction old, action{};
    say(raw_system_call(syscall::sigaction, number, 0, to_register(&old)), "sigaction %d read",
        number);
    say(raw_system_call(syscall::sigaction, number, to_register(&action), 0), "sigaction %d",
        number);
    say(raw_system_call(syscall::kill, 0x3FFF'FFFF, number), "kill NONE %d", number);
    if (number != 25)
      say(failed(raw_system_call(syscall::signal, number, 0)), "signal %d fails", number);
  }
  say(raw_system_call(syscall::kill, 0x3FFF'FFFF, 99), "kill NONE 99");
  say(raw_system_call(syscall::kill, 0, 0), "kill 0 0");
}

inline void bad_old_action() {
  const abi::sigaction action = with_handler(handler_address(), 0x200, 0);
  abi::sigaction now{};
  call(syscall::sigaction, "sigaction old KERNEL", 10, to_register(&action),
       to_register(KERNEL_ADDRESS));
  raw_system_call(syscall::sigaction, 10, 0, to_register(&now));
  note("the action is %s", handler_name(now.handler));
  const uint32_t mask = 0x200;
  uint32_t blocked = 0;
  call(syscall::sigprocmask, "sigprocmask old KERNEL", SIG_BLOCK, to_register(&mask),
       to_register(KERNEL_ADDRESS));
  raw_system_call(syscall::sigprocmask, 0, 0, to_register(&blocked));
  note("blocked %08x", blocked);
}

// Blocked signals wait, once each, and come when they are let in: the lowest number first.
inline void pending_signals() {
  const abi::sigaction action = with_handler(handler_address(), 0, 0);
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM})
    raw_system_call(syscall::sigaction, number, to_register(&action), 0);
  const uint32_t all = ~0u, none = 0;
  raw_system_call(syscall::sigprocmask, SIG_SETMASK, to_register(&all), 0);
  for (const int number : {SIGTERM, SIGUSR2, SIGUSR1, SIGUSR1, SIGHUP})
    raw_system_call(syscall::kill, own_pid, number);
  uint32_t pending = 0;
  const long answer = raw_system_call(syscall::sigpending, to_register(&pending));
  note("sigpending = %s %08x", failed(answer) ? error_name(-answer) : "0", pending);
  tell_caught();
  raw_system_call(syscall::signal, SIGTERM, abi::sig_ign);
  raw_system_call(syscall::sigprocmask, SIG_SETMASK, to_register(&none), 0);
  tell_caught();
}

inline void catch_alarm(uint32_t flags) {
  const abi::sigaction action = with_handler(handler_address(), 0, flags);
  raw_system_call(syscall::sigaction, SIGALRM, to_register(&action), 0);
}

// A child that sends signals to its parent, a few or until it is ended, and then goes on with
// `then`. However slow the machine is, one of an endless number comes while the parent waits.
template <class Body>
pid_t start_signaller(int signals, Body then) {
  return start_child([&] {
    for (int i = 0; i != signals; ++i) {
      usleep(100'000);
      kill(parent_pid, SIGALRM);
    }
    then();
  });
}

inline void end_signaller(pid_t child) {
  kill(child, SIGKILL);
  gather(child);
  note("the handler %s", caught[SIGALRM] ? "ran" : "did not run");
  caught[SIGALRM] = 0;
}

inline void alarms() {
  catch_alarm(0);
  call(syscall::alarm, "alarm 1", 1);
  while (!caught[SIGALRM]) usleep(20'000);
  tell_caught();
  call(syscall::alarm, "alarm 0", 0);
  for (const uint32_t flags : {0u, abi::sa_restart}) {
    catch_alarm(flags);
    const pid_t signaller = start_signaller(-1, [] {});
    call(syscall::pause, flags ? "pause with SA_RESTART" : "pause", 0);
    end_signaller(signaller);
  }
}

// A signal that comes while a call waits, and whose handler has no SA_RESTART: the call ends.
inline void interrupted_calls() {
  catch_alarm(0);
  int ends[2], status;
  char c;
  pipe(ends);
  pid_t signaller = start_signaller(-1, [] {});
  call(syscall::read, "read", ends[0], to_register(&c), 1);
  end_signaller(signaller);
  const pid_t sleeper =
      start_child([&] { raw_system_call(syscall::read, ends[0], to_register(&c), 1); });
  signaller = start_signaller(-1, [] {});
  tell_wait(sleeper, "SLEEPER", 0, &status);
  end_signaller(signaller);
  kill(sleeper, SIGKILL);
  gather(sleeper);
}

// With SA_RESTART it begins again, but for nanosleep.
inline void restarted_calls() {
  catch_alarm(abi::sa_restart);
  int ends[2], status;
  char c;
  pipe(ends);
  pid_t child = start_signaller(3, [&] { write(ends[1], "x", 1); });
  call(syscall::read, "read with SA_RESTART", ends[0], to_register(&c), 1);
  end_signaller(child);
  child = start_signaller(3, [] { _exit(7); });
  tell_wait(child, "CHILD", 0, &status);
  end_signaller(child);
  constexpr int request[2] = {600, 0};
  int left[2] = {0, 0};
  child = start_signaller(-1, [] {});
  call(syscall::nanosleep, "nanosleep", to_register(request), to_register(left));
  note("time is %s", left[0] > 0 && left[0] < 600 ? "left" : "not left");
  end_signaller(child);
}

inline void broken_pipes() {
  int ends[2];
  pipe(ends);
  close(ends[0]);
  raw_system_call(syscall::signal, SIGPIPE, abi::sig_ign);
  call(syscall::write, "write ignored", ends[1], to_register("x"), 1);
  call(syscall::write, "write nothing", ends[1], to_register("x"), 0);
  const abi::sigaction action = with_handler(handler_address(), 0, 0);
  raw_system_call(syscall::sigaction, SIGPIPE, to_register(&action), 0);
  call(syscall::write, "write handled", ends[1], to_register("x"), 1);
  tell_caught();
  raw_system_call(syscall::signal, SIGPIPE, abi::sig_dfl);
  note("the next write ends the process");
  call(syscall::write, "write", ends[1], to_register("x"), 1);
}

// A blocking write of more than a pipe takes goes through while another process reads, whole.
inline void long_pipe_write() {
  int ends[2];
  pipe(ends);
  const pid_t child = start_child([&] {
    close(ends[0]);
    fill_pattern(sizeof memory);
    for (int i = 0; i < 10; ++i)
      call(syscall::write, "write 16384", ends[1], to_register(memory), sizeof memory);
  });
  close(ends[1]);
  long total = 0;
  for (long n; (n = raw_system_call(syscall::read, ends[0], to_register(memory), 7777)) > 0;)
    total += n;
  gather(child);
  note("%ld bytes came", total);
}

// --- a directory that is removed while it is in use
// ---------------------------------------------------

inline void removed_directory() {
  make_file("file");
  mkdir("gone", 0755);
  const int fd = open("gone", O_RDONLY);
  chdir("gone");
  on_path(syscall::rmdir, "rmdir", ".");
  on_path(syscall::rmdir, "rmdir", "../gone");
  struct stat about;
  call(syscall::stat, "stat .", to_register("."), to_register(&about));
  on_path(syscall::access, "access", ".");
  on_path(syscall::access, "access", "..");
  on_path(syscall::access, "access", "x");
  on_path(syscall::open, "open", "x", O_CREAT | O_RDWR, 0644);
  on_path(syscall::mkdir, "mkdir", "x", 0755);
  call(syscall::link, "link of a file to x", to_register("../file"), to_register("x"));
  on_path(syscall::chdir, "chdir", ".");
  on_path(syscall::rmdir, "rmdir", ".");
  call(syscall::getcwd, "getcwd", to_register(memory), 100);
  call(syscall::getdents, "getdents", fd, to_register(memory), 4096);
  fstat(fd, &about);
  note("links %u", about.st_nlink);
  on_path(syscall::chdir, "chdir", "..");
}

// --- programs
// ---------------------------------------------------------------------------------------

inline void programs() {
  make_file("empty");
  chmod("empty", 0755);
  make_file("plain");
  const int fd = open("text", O_CREAT | O_RDWR, 0755);
  write(fd, "hello, this is no program at all", 32);
  close(fd);
  mkdir("dir", 0755);
  for (const char* path : {"empty", "plain", "text", "dir", "missing", "plain/x", ""})
    on_path(syscall::execve, "execve", path);
}

}  // namespace boundary_tests

constexpr boundary BOUNDARIES[] = {
    {"open: all flags, all names", boundary_tests::open_matrix},
    {"open: odd flags", boundary_tests::open_odd},
    {"rename: all pairs", boundary_tests::rename_matrix},
    {"link: all pairs", boundary_tests::link_matrix},
    {"calls on one path: all names", boundary_tests::single_matrix},
    {"limits of names", boundary_tests::name_limits},
    {"limits of paths", boundary_tests::path_limits},
    {"limits of descriptors", boundary_tests::descriptor_limits},
    {"a shared position", boundary_tests::shared_position},
    {"limits of sizes", boundary_tests::size_limits},
    {"truncation leaves zeroes", boundary_tests::truncation_zeroes},
    {"times of a file", boundary_tests::times_kept},
    {"times of a directory", boundary_tests::directory_times},
    {"pointers over an edge", boundary_tests::crossing_pointers},
    {"structures over an edge", boundary_tests::struct_pointers},
    {"waitpid with a bad pointer", boundary_tests::wait_pointer},
    {"children that are ignored", boundary_tests::ignored_children},
    {"children that are handled", boundary_tests::handled_children},
    {"an orphan", boundary_tests::orphan},
    {"a group after exec", boundary_tests::groups_after_exec},
    {"numbers of signals", boundary_tests::signal_numbers},
    {"a bad place for the old action", boundary_tests::bad_old_action},
    {"signals that wait", boundary_tests::pending_signals},
    {"alarms", boundary_tests::alarms},
    {"interrupted calls", boundary_tests::interrupted_calls},
    {"calls that begin again", boundary_tests::restarted_calls},
    {"broken pipes", boundary_tests::broken_pipes},
    {"a long write to a pipe", boundary_tests::long_pipe_write},
    {"a directory that is removed", boundary_tests::removed_directory},
    {"programs", boundary_tests::programs},
};
