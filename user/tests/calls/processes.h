// processes: the steps about children, groups, programs and the break. Each waits for its child, so
// that the order of the lines is the same everywhere.
#pragma once

#include <sys/wait.h>

#include <initializer_list>

#include "user/tests/calls/names.h"
#include "user/tests/calls/signals.h"

inline const char* own_path;  // of this program, to be executed again

// A child that waits until it may go on. Nothing of it depends on which process runs first.
class gate {
 public:
  gate() { pipe(ends_), pipe(ready_); }
  ~gate() {
    for (const int end : {ends_[0], ends_[1], ready_[0], ready_[1]}) close(end);
  }
  void wait() {  // the child
    char c;
    close(ends_[1]);
    close(ready_[0]), close(ready_[1]);
    while (raw_system_call(syscall::read, ends_[0], to_register(&c), 1) == -EINTR) {
    }
  }
  void await_child() {  // the parent, until the child waits
    char c;
    close(ready_[1]);
    while (raw_system_call(syscall::read, ready_[0], to_register(&c), 1) == -EINTR) {
    }
  }
  void open() { close(ends_[1]); }  // the parent

 private:
  int ends_[2] = {-1, -1}, ready_[2] = {-1, -1};
};

inline void become_child() {
  line_mark = "c";
  parent_pid = own_pid;
  own_pid = getpid();
  memset(caught, 0, sizeof caught);
}

// All signals by default and none blocked.
inline void forget_signals() {
  for (int n = 1; n < 32; ++n) raw_system_call(syscall::signal, n, 0);
  const uint32_t none = 0;
  raw_system_call(syscall::sigprocmask, SIG_SETMASK, to_register(&none), 0);
}

template <class Body>
pid_t start_child(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    become_child();
    body();
    _exit(0);
  }
  child_pid = child;
  return child;
}

// Waits for the child as a matter of order; nothing is written about it.
inline int gather(pid_t child) {
  int status = -1;
  while (raw_system_call(syscall::waitpid, child, to_register(&status), 0) == -EINTR) {
  }
  return status;
}

inline long tell_wait(long pid, const char* who, int options, int* status) {
  *status = 0x5A5A;
  const long answer = raw_system_call(syscall::waitpid, pid, to_register(status), options);
  line l;
  l.add("waitpid %s %d = %s", who, options, pid_name(answer));
  if (answer > 0)
    add_status(l, *status);
  else
    l.add(*status == 0x5A5A ? " status unchanged" : " status changed");
  return answer;
}

struct selector {
  int pid;
  const char* name;
};

inline selector any_selector(pid_t child) {
  const selector all[] = {{child, "CHILD"},
                          {child, "CHILD"},
                          {-1, "-1"},
                          {0, "0"},
                          {-getpgrp(), "-GROUP"},
                          {own_pid, "SELF"},
                          {0x3FFF'FFFF, "NONE"},
                          {-0x3FFF'FFFF, "-NONE"},
                          {1, "1"}};
  return roll.one_of(all);
}

// A child ends by a code; it is waited for in different ways.
inline void step_exit() {
  constexpr int codes[] = {0, 1, 2, 127, 128, 255, 256, 0x1FF, -1};
  const int code = roll.one_of(codes);
  const pid_t child = start_child([&] { _exit(code); });
  const selector wanted = any_selector(child);
  const bool without_status = roll.chance(20);
  int status;
  note("child exits with %d", code);
  long answer;
  if (without_status) {
    answer = raw_system_call(syscall::waitpid, wanted.pid, 0, 0);
    note("waitpid %s NULL 0 = %s", wanted.name, pid_name(answer));
  } else {
    answer = tell_wait(wanted.pid, wanted.name, 0, &status);
  }
  if (answer != child) tell_wait(child, "CHILD", 0, &status);
  tell_wait(child, "CHILD", 0, &status);
  tell_wait(-1, "-1", WNOHANG, &status);
}

// A child that lives is killed; signals that are ignored by default do not end it.
inline void step_kill_child() {
  const int number = roll.one_of(SIGNALS);
  gate way;
  const pid_t child = start_child([&] {
    forget_signals();
    way.wait();
    _exit(77);
  });
  int status;
  way.await_child();
  note("child waits");
  tell_wait(child, "CHILD", WNOHANG, &status);
  say(raw_system_call(syscall::kill, child, number), "kill CHILD %d", number);
  way.open();
  tell_wait(child, "CHILD", 0, &status);
  say(raw_system_call(syscall::kill, child, 0), "kill CHILD 0");
}

// A child is stopped and goes on; the parent is told of the stop only when it asks.
inline void step_stop_child() {
  constexpr int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  constexpr int ends[] = {SIGCONT, SIGKILL};
  const int stop = roll.one_of(stops), end = roll.one_of(ends);
  // Linux says SIGCHLD when the child goes on too (XSI), so all of them come together at the end.
  const uint32_t children = signal_bit(SIGCHLD);
  uint32_t before;
  raw_system_call(syscall::sigprocmask, SIG_BLOCK, to_register(&children), to_register(&before));
  gate way;
  const pid_t child = start_child([&] {
    forget_signals();
    way.wait();
    _exit(78);
  });
  int status;
  way.await_child();
  say(raw_system_call(syscall::kill, child, stop), "kill CHILD %d", stop);
  tell_wait(child, "CHILD", WUNTRACED, &status);
  tell_wait(child, "CHILD", WNOHANG | WUNTRACED, &status);
  tell_wait(child, "CHILD", WNOHANG, &status);
  say(raw_system_call(syscall::kill, child, end), "kill CHILD %d", end);
  way.open();
  tell_wait(child, "CHILD", 0, &status);
  raw_system_call(syscall::sigprocmask, SIG_SETMASK, to_register(&before), 0);
}

inline void step_wait_errors() {
  constexpr int options[] = {0, WNOHANG, WUNTRACED, 3, 0x40, -1};
  const int option = roll.one_of(options);
  const selector by = any_selector(0x3FFF'FFFF);
  const place to = any_place(4);
  const long answer = raw_system_call(syscall::waitpid, by.pid, to_register(to.pointer), option);
  note("waitpid %s %s %d without children = %s", by.name, to.shown, option, pid_name(answer));
}

inline void (*any_step)();  // set by the program: a child makes any steps, children of its own too

// A child shares the open files: what it reads or seeks moves the parent's position too. Handlers,
// masks, the umask and the directory are its own copies. It is a group of its own, so that its
// signals do not reach its parent.
inline void step_child() {
  const uint32_t steps = 1 + roll.below(4);
  const pid_t child = start_child([&] {
    setpgid(0, 0);
    for (uint32_t i = 0; i < steps; ++i) {
      any_step();
      tell_caught();
    }
    _exit(static_cast<int>(steps));
  });
  const int status = gather(child);
  line l;
  l.add("child ended:");
  add_status(l, status);
}

inline void step_identity() {
  note("getpid %s getppid %s getpgrp %s getpgid %s", pid_name(getpid()), pid_name(getppid()),
       pid_name(getpgrp()), pid_name(getpgid(0)));
  const selector by = any_selector(parent_pid);
  const long group = raw_system_call(syscall::getpgid, by.pid);
  if (strcmp(by.name, "1") && strcmp(by.name, "CHILD"))
    note("getpgid %s = %s", by.name, pid_name(group));
}

// Groups and sessions, in a child and from outside.
inline void step_groups() {
  gate way;
  const pid_t child = start_child([&] {
    way.wait();
    const bool leads = roll.chance(50);
    if (leads) note("setsid = %s", pid_name(raw_system_call(syscall::setsid)));
    constexpr int groups[] = {0, -1, 0x3FFF'FFFF, 1};
    const int group = roll.one_of(groups);
    say(raw_system_call(syscall::setpgid, 0, group), "setpgid 0 %d", group);
    note("getpgrp %s", pid_name(getpgrp()));
    note("setsid = %s", pid_name(raw_system_call(syscall::setsid)));
    _exit(0);
  });
  const selector to[] = {
      {0, "0"}, {child, "CHILD"}, {own_pid, "SELF"}, {0x3FFF'FFFF, "NONE"}, {-1, "-1"}};
  const selector who[] = {{child, "CHILD"},
                          {child, "CHILD"},
                          {0x3FFF'FFFF, "NONE"},
                          {-1, "-1"},
                          {parent_pid, "PARENT"}};
  const selector& moved = roll.one_of(who);
  const selector& group = roll.one_of(to);
  say(raw_system_call(syscall::setpgid, moved.pid, group.pid), "setpgid %s %s", moved.name,
      group.name);
  note("getpgid CHILD = %s", pid_name(raw_system_call(syscall::getpgid, child)));
  way.open();
  gather(child);
}

// The break, up and down, within a page and over its border; what lies between is zero or kept.
inline void step_break() {
  const pid_t child = start_child([] {
    const long start = raw_system_call(syscall::brk, 0);
    long now = start;
    constexpr int moves[] = {1,    -1,    100,  -100,  2048,  -2048,  4095,    -4095,
                             4096, -4096, 4097, -4097, 20000, -20000, 1 << 20, -(1 << 20)};
    for (int i = 0; i < 8; ++i) {
      const int move = roll.one_of(moves);
      if (now + move < start) continue;
      const long answer = raw_system_call(syscall::brk, now + move);
      say(answer - start, "brk %+d", move);
      for (long p = now; p < answer; ++p)
        if (*reinterpret_cast<char*>(p) != 0) {
          note("not zero at %+ld", p - start);
          break;
        }
      // Bytes behind the break stay while their page stays; a page that was given back is zero
      // again.
      if (answer > now)
        memset(reinterpret_cast<char*>(now), 0x55, static_cast<size_t>(answer - now));
      now = answer;
    }
  });
  gather(child);
}

inline void step_break_errors() {
  const pid_t child = start_child([] {
    const long start = raw_system_call(syscall::brk, 0);
    const long wrong[] = {1, 4096, 0x40'0000, -4096, -1};
    const uint32_t which = roll.below(5);
    say(raw_system_call(syscall::brk, wrong[which]) - start, "brk wrong place %u", which);
    say(raw_system_call(syscall::brk, 0) - start, "brk 0");
  });
  gather(child);
}

// What a program finds that was executed: see report_self.
inline void step_exec() {
  const pid_t child = start_child([] {
    const int fd = any_fd() & 7;
    raw_system_call(syscall::fcntl, fd, F_SETFD, to_register(roll.below(2)));
    step_sigaction();
    step_sigprocmask();
    step_umask();
    if (roll.chance(30)) raw_system_call(syscall::alarm, 100);
    char number[16];
    snprintf(number, sizeof number, "%d", step_now);
    const char* const arguments[] = {own_path, "self", number, roll.chance(50) ? "one" : "",
                                     nullptr};
    const char* const environment[] = {"A=1", "B=two", nullptr};
    say(raw_system_call(syscall::execve, to_register(own_path), to_register(arguments),
                        to_register(environment)),
        "execve SELF");
  });
  const int status = gather(child);
  line l;
  l.add("program ended:");
  add_status(l, status);
}

inline void step_exec_errors() {
  const pid_t child = start_child([] {
    const argument path = paths.any();
    const char* const arguments[] = {"x", roll.chance(20) ? KERNEL_ADDRESS : nullptr, nullptr};
    const bool bad = roll.chance(20);
    note("execve %s", path.shown);
    say(raw_system_call(syscall::execve, to_register(path.pointer),
                        bad ? to_register(KERNEL_ADDRESS) : to_register(arguments), 0),
        "execve%s%s", bad ? " argv KERNEL" : "", arguments[1] ? " argument KERNEL" : "");
    _exit(9);
  });
  const int status = gather(child);
  line l;
  l.add("child ended:");
  add_status(l, status);
}

// The program executed by step_exec: what it has inherited.
inline int report_self(int argc, char** argv, char** environment) {
  step_now = atoi(argv[2]);
  line_mark = "x";
  own_pid = getpid();
  parent_pid = getppid();
  uint32_t hash = 0;
  for (int i = 1; i < argc; ++i) hash = hash * 31 + hash_of(argv[i], strlen(argv[i]));
  for (char** e = environment; *e; ++e) hash = hash * 31 + hash_of(*e, strlen(*e));
  note("arguments %d hash %08x", argc, hash);
  line l;
  l.add("open:");
  for (int fd = 0; fd < LOG; ++fd) {
    const long flags = raw_system_call(syscall::fcntl, fd, F_GETFD);
    if (!failed(flags)) l.add(" %d%s", fd, flags ? "!" : "");
  }
  uint32_t blocked;
  raw_system_call(syscall::sigprocmask, 0, 0, to_register(&blocked));
  l.add(" blocked %08x ignored", blocked);
  for (int number = 1; number < 32; ++number) {
    abi::sigaction action;
    raw_system_call(syscall::sigaction, number, 0, to_register(&action));
    if (action.handler != abi::sig_dfl) l.add(" %d %s", number, handler_name(action.handler));
  }
  l.add(" umask %o alarm %ld", static_cast<unsigned>(raw_system_call(syscall::umask, 0)),
        rounded(raw_system_call(syscall::alarm, 0)));
  return 0;
}

inline void step_clock() {
  const place to = any_place(8);
  const uint32_t clock = roll.below(3) == 2 ? 99 : roll.below(2);
  say(raw_system_call(syscall::clock_gettime, to_register(clock), to_register(to.pointer)),
      "clock_gettime %u %s", clock, to.shown);
  const place seconds = any_place(4);
  const long time = raw_system_call(syscall::time, to_register(seconds.pointer));
  say(time > 0 ? 1 : time, "time %s", seconds.shown);
  constexpr int nanoseconds[] = {0, 1, -1, 1'000'000'000, 999'999'999};
  const int request[2] = {-static_cast<int>(roll.below(2)), roll.one_of(nanoseconds)};
  if (request[0] == 0 && request[1] > 1 && request[1] < 1'000'000'000) return;
  say(raw_system_call(syscall::nanosleep, to_register(request), 0), "nanosleep %d %d", request[0],
      request[1]);
}
