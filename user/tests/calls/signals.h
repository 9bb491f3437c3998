// signals: the steps about handlers, masks and sending, and what the handlers saw.
#pragma once

#include <signal.h>

#include "user/tests/calls/arguments.h"

// The libc's way back from a handler.
extern "C" void signal_restorer();

using abi::syscall;

inline int caught[32];
inline uint32_t mask_in_handler[32];

inline void on_signal(int number) {
  uint32_t blocked = 0;
  raw_system_call(syscall::sigprocmask, 0, 0, to_register(&blocked));
  ++caught[number & 31];
  mask_in_handler[number & 31] = blocked;
}

// One line for each signal whose handler ran since the last call of this.
inline void tell_caught() {
  for (int number = 1; number < 32; ++number) {
    if (!caught[number]) continue;
    note("handler of %d ran %d times, blocked %08x", number, caught[number],
         mask_in_handler[number]);
    caught[number] = 0;
  }
}

inline uint32_t handler_address() {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(on_signal));
}

inline const char* handler_name(uint32_t handler) {
  if (handler == abi::sig_dfl) return "DEFAULT";
  if (handler == abi::sig_ign) return "IGNORE";
  return handler == handler_address() ? "HANDLER" : "OTHER";
}

// Those that stop a process are for a child alone: see processes.h. SIGXFSZ stays ignored.
constexpr int SIGNALS[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 10, 10, 11, 12, 12, 12, 13,
                           14, 15, 15, 16, 17, 17, 18, 18, 23, 24, 26, 27, 28, 29, 30, 31};

inline int any_signal() {
  constexpr int wrong[] = {0, 65, 100, -1, 0x7FFF'FFFF};
  return roll.chance(6) ? roll.one_of(wrong) : roll.one_of(SIGNALS);
}

inline uint32_t any_mask() {
  constexpr uint32_t masks[] = {
      0, 0x200, 0x800, 0xA00, 0x4000, 0x10100, 0xFFFFFFFF & ~0x1000000u, 0x40100, 0x2000};
  return roll.one_of(masks);
}

inline void add_action(line& l, const abi::sigaction& action) {
  l.add(" %s mask %08x flags %08x", handler_name(action.handler), action.mask,
        action.flags & ~abi::sa_restorer);
}

inline abi::sigaction with_handler(uint32_t handler, uint32_t mask, uint32_t flags) {
  const uintptr_t restorer = reinterpret_cast<uintptr_t>(signal_restorer);
  return {handler, mask, flags | abi::sa_restorer, static_cast<uint32_t>(restorer)};
}

inline abi::sigaction any_action() {
  const uint32_t handlers[] = {abi::sig_dfl, abi::sig_ign, handler_address(), handler_address(),
                               handler_address()};
  const uint32_t handler = roll.one_of(handlers), mask = any_mask();
  abi::sigaction action = with_handler(handler, mask, 0);
  constexpr uint32_t flags[] = {abi::sa_restart, abi::sa_nodefer, abi::sa_resethand,
                                abi::sa_nocldstop};
  for (const uint32_t flag : flags)
    if (roll.chance(25)) action.flags |= flag;
  return action;
}

inline void step_sigaction() {
  const int number = any_signal();
  const abi::sigaction action = any_action();
  const bool sets = roll.chance(75);
  long wanted = sets ? to_register(&action) : 0;
  if (sets && roll.chance(5)) wanted = to_register(KERNEL_ADDRESS);
  place old = any_place(sizeof(abi::sigaction));
  // With a bad place for the old action, Linux has set the new one all the same (the fixed list).
  if (sets && failed(raw_system_call(syscall::sigaction, 10, 0, to_register(old.pointer))))
    old = {memory, "MEMORY"};
  // The children of a father that ignores SIGCHLD are gone at once on Linux, and here when process
  // 1 has run; the fixed list waits for them.
  if (sets && wanted == to_register(&action) && number == 17 && action.handler == abi::sig_ign)
    return;
  const long answer = raw_system_call(syscall::sigaction, number, wanted, to_register(old.pointer));
  line l;
  l.add("sigaction %d", number);
  if (!sets)
    l.add(" -");
  else if (wanted == to_register(&action))
    add_action(l, action);
  else
    l.add(" KERNEL");
  l.add(" old %s", old.shown);
  l.add_answer(answer);
  if (answer == 0 && old.pointer) add_action(l, *reinterpret_cast<abi::sigaction*>(old.pointer));
}

inline void step_signal() {
  const int number = any_signal();
  const uint32_t handlers[] = {abi::sig_dfl, abi::sig_ign, handler_address()};
  const uint32_t handler = roll.one_of(handlers);
  if (number == 17 && handler == abi::sig_ign) return;
  const long answer =
      raw_system_call(syscall::signal, number, to_register(handler), to_register(signal_restorer));
  if (failed(answer))
    say(answer, "signal %d %s", number, handler_name(handler));
  else
    note("signal %d %s = %s", number, handler_name(handler),
         handler_name(static_cast<uint32_t>(answer)));
}

inline void step_sigprocmask() {
  constexpr int hows[] = {SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK, 3, -1};
  const int how = roll.one_of(hows);
  const uint32_t mask = any_mask();
  const bool sets = roll.chance(75);
  long set = sets ? to_register(&mask) : 0;
  if (sets && roll.chance(5)) set = to_register(KERNEL_ADDRESS);
  place old{memory, "MEMORY"};
  if (!sets) old = any_place(4);
  memset(memory, 0xA5, 4);
  const long answer = raw_system_call(syscall::sigprocmask, how, set, to_register(old.pointer));
  line l;
  l.add("sigprocmask %d", how);
  if (!sets)
    l.add(" -");
  else if (set == to_register(&mask))
    l.add(" %08x", mask);
  else
    l.add(" KERNEL");
  l.add(" old %s", old.shown);
  l.add_answer(answer);
  if (answer == 0 && old.pointer) l.add(" blocked %08x", *reinterpret_cast<uint32_t*>(old.pointer));
}

inline void step_sigpending() {
  const place to = any_place(4);
  const long answer = raw_system_call(syscall::sigpending, to_register(to.pointer));
  line l;
  l.add("sigpending %s", to.shown);
  l.add_answer(answer);
  if (answer == 0) l.add(" pending %08x", *reinterpret_cast<uint32_t*>(to.pointer));
}

inline void step_kill() {
  const int number = any_signal();
  constexpr int NONE = 0x3FFF'FFFF;
  const struct {
    int pid;
    const char* name;
  } targets[] = {{own_pid, "SELF"}, {own_pid, "SELF"},   {own_pid, "SELF"}, {own_pid, "SELF"},
                 {0, "0"},          {-own_pid, "GROUP"}, {NONE, "NONE"},    {-NONE, "-NONE"}};
  const auto& target = roll.one_of(targets);
  // First the line, for the call may end the process; then the answer.
  note("now kill %s %d", target.name, number);
  say(raw_system_call(syscall::kill, target.pid, number), "kill %s %d", target.name, number);
}

// The time that is left, to the nearest 50 seconds: a slow machine gives the same.
inline long rounded(long seconds) { return failed(seconds) ? seconds : (seconds + 25) / 50 * 50; }

// The alarm does not go off: what counts is the time that is left.
inline void step_alarm() {
  constexpr uint32_t times[] = {100, 1000, 50, 0};
  const uint32_t first = roll.one_of(times), second = roll.one_of(times);
  raw_system_call(syscall::alarm, 0);
  say(rounded(raw_system_call(syscall::alarm, to_register(first))), "alarm %u", first);
  say(rounded(raw_system_call(syscall::alarm, to_register(second))), "alarm %u", second);
  say(rounded(raw_system_call(syscall::alarm, 0)), "alarm 0");
}
