// Signals (the book, 8.2): sending, the calls that arrange for them, and the default actions.
// Running a handler on the user's stack is kernel/i386/signal_frame.cc.
//
// In 0.11 every signal but SIGCHLD ends a process by default. Differences here: there is stop and
// continue; a fault cannot be ignored; the default action does not end process 1; and a system call
// that a signal interrupted is begun again when the handler has SA_RESTART.
#include "kernel/signal.h"

#include <algorithm>
#include <utility>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "kernel/process.h"
#include "kernel/signal_frame.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"
#include "kernel/user_mode.h"

namespace {

enum class default_action { end, ignore, stop, go_on };

default_action default_of(u32 signal) {
  switch (signal) {
    case abi::sigchld:
    case abi::sigurg:
    case abi::sigwinch: return default_action::ignore;
    case abi::sigcont: return default_action::go_on;
    case abi::sigstop:
    case abi::sigtstp:
    case abi::sigttin:
    case abi::sigttou: return default_action::stop;
    default: return default_action::end;
  }
}

constexpr u32 STOPPING = signal_bit(abi::sigstop) | signal_bit(abi::sigtstp) |
                         signal_bit(abi::sigttin) | signal_bit(abi::sigttou);

abi::sigaction& action_of(task_struct& t, u32 signal) { return t.sigaction[signal - 1]; }
const abi::sigaction& action_of(const task_struct& t, u32 signal) {
  return t.sigaction[signal - 1];
}

bool valid(u32 signal) { return signal >= 1 && signal < abi::nsig; }

// Process 1 must always exist: the default action of a signal does not end it.
bool ignored(const task_struct& t, u32 signal) {
  const u32 handler = action_of(t, signal).handler;
  if (handler != abi::sig_dfl) return handler == abi::sig_ign;
  const default_action action = default_of(signal);
  return action == default_action::ignore || action == default_action::go_on || t.pid == 1;
}

u32 deliverable(const task_struct& t) { return t.signal & ~t.blocked; }

}  // namespace

void send_signal(task_struct& to, u32 signal) {
  const irq_guard masked;
  if (!to.space) return;  // a task of the kernel, or a zombie
  if (signal == abi::sigcont) to.signal &= ~STOPPING;
  if (signal_bit(signal) & STOPPING) to.signal &= ~signal_bit(abi::sigcont);
  const bool resumes = signal == abi::sigcont || signal == abi::sigkill;
  if (to.state == task_state::stopped && resumes) to.state = task_state::running;
  const bool blocked = to.blocked & signal_bit(signal);
  if (!blocked && ignored(to, signal)) return;
  to.signal |= signal_bit(signal);
  if (!blocked && to.state == task_state::interruptible) wake_task(to, wake_reason::signalled);
}

bool signal_pending() { return deliverable(*current) != 0; }

bool accepts_signal(u32 signal) {
  return !(current->blocked & signal_bit(signal)) && !ignored(*current, signal);
}

bool fatal_signal_pending() {
  for (u32 signal = 1; signal < abi::nsig; ++signal)
    if (deliverable(*current) & signal_bit(signal) &&
        action_of(*current, signal).handler == abi::sig_dfl &&
        default_of(signal) == default_action::end)
      return true;
  return false;
}

void force_signal(task_struct& to, u32 signal) {
  const irq_guard masked;
  abi::sigaction& action = action_of(to, signal);
  const bool deaf = to.blocked & signal_bit(signal) || action.handler == abi::sig_ign;
  if (deaf) action.handler = abi::sig_dfl;
  to.blocked &= ~signal_bit(signal);
  to.signal |= signal_bit(signal);
  to.forced |= signal_bit(signal);
  if (to.state == task_state::stopped && signal == abi::sigkill) to.state = task_state::running;
  if (to.state == task_state::interruptible) wake_task(to, wake_reason::signalled);
}

u32 signal_group(int pgrp, u32 signal) {
  u32 members = 0;
  for (task_struct* t : task) {
    if (!t || !t->space || t->pgrp != pgrp) continue;
    ++members;
    if (signal) send_signal(*t, signal);
  }
  return members;
}

u32 signal_all(u32 signal) {
  u32 others = 0;
  for (task_struct* t : task) {
    if (!t || !t->space || t->pid <= 1 || t == current) continue;
    ++others;
    if (signal) send_signal(*t, signal);
  }
  return others;
}

u32 block_signals(u32 signals) {
  const irq_guard masked;
  return std::exchange(current->blocked, signals);
}

bool ignores_children(const task_struct& t) {
  return action_of(t, abi::sigchld).handler == abi::sig_ign;
}

void begin_with_default_signals() {
  const irq_guard masked;
  current->blocked = 0;
  current->sigaction = {};
}

void reset_handlers(task_struct& t) {
  const irq_guard masked;
  for (abi::sigaction& action : t.sigaction)
    if (action.handler != abi::sig_ign) action = {};
}

namespace {

// Whether the father's SA_NOCLDSTOP asks for no SIGCHLD when a child stops.
bool wants_no_stops(const task_struct* father) {
  return father && action_of(*father, abi::sigchld).flags & abi::sa_nocldstop;
}

// The father is told, and the process does not run until SIGCONT or SIGKILL.
void stop(u32 signal) {
  const irq_guard masked;
  current->exit_code = signal << 8 | 0x7F;
  current->state = task_state::stopped;
  if (wants_no_stops(current->father))
    wake_up(current->father->child_exited);  // it may be in waitpid
  else
    tell_father(*current);
  schedule();
}

// A terminal stops no member of an orphaned group: no process could continue it (POSIX).
void act_by_default(u32 signal) {
  switch (default_of(signal)) {
    case default_action::ignore:
    case default_action::go_on: break;
    case default_action::stop:
      if (signal == abi::sigstop || !is_orphaned(current->pgrp)) stop(signal);
      break;
    case default_action::end: do_exit(signal);
  }
}

// 0: there is none. An interrupt that stops the process may just have dropped the last one,
// SIGCONT.
u32 take_signal() {
  const irq_guard masked;
  if (!deliverable(*current)) return 0;
  const u32 signal = static_cast<u32>(__builtin_ctz(deliverable(*current))) + 1;
  current->signal &= ~signal_bit(signal);
  return signal;
}

// The signal was blocked when it was sent, so whether it is ignored is asked again now.
bool has_effect(u32 signal) {
  const bool forced = current->forced & signal_bit(signal);
  current->forced &= ~signal_bit(signal);
  return forced || !ignored(*current, signal);
}

// The system call that the signal interrupted is begun again, or returns -eintr.
void settle_interrupted_call(trap_frame& registers, bool restart) {
  const u32 call = std::exchange(current->interrupted_call, 0);
  if (!call || !restart) current->sleep_end = never;
  if (call && restart) begin_call_again(registers, call);
}

// Whether a call is begun again after a handler. Whatever flags that has, pause and nanosleep are
// not; fork and sigreturn are: they know no eintr.
bool begins_again(u32 call, u32 flags) {
  switch (abi::syscall{call}) {
    case abi::syscall::pause:
    case abi::syscall::nanosleep: return false;
    case abi::syscall::fork:
    case abi::syscall::sigreturn: return true;
    default: return flags & abi::sa_restart;
  }
}

abi::sigaction take_action(u32 signal) {
  const irq_guard masked;
  abi::sigaction& slot = action_of(*current, signal);
  const abi::sigaction action = slot;
  if (action.flags & abi::sa_resethand) slot = {};
  return action;
}

// The signal that ends a program whose stack takes no frame: that of a page fault there.
u32 signal_for(error why) {
  switch (why) {
    case error::eintr:  // by SIGKILL
    case error::enomem: return abi::sigkill;
    case error::efault: return abi::sigsegv;
    default: return abi::sigbus;
  }
}

[[noreturn]] void end_without_stack(u32 signal, error why) {
  if (why != error::eintr)
    printk("%s[%d]: no stack for signal %u\n", current->comm.data(), current->pid, signal);
  do_exit(signal_for(why));
}

void run_handler(trap_frame& registers, u32 signal) {
  const abi::sigaction action = take_action(signal);
  settle_interrupted_call(registers, begins_again(current->interrupted_call, action.flags));
  // The stack may have to be read from a disk: only SIGKILL interrupts that. SIGSTOP acts behind
  // it.
  const u32 blocked = block_signals(~signal_bit(abi::sigkill));
  const result<void> pushed = push_signal_frame(registers, signal, action, blocked);
  if (!pushed) end_without_stack(signal, pushed.error());
  const u32 itself = action.flags & abi::sa_nodefer ? 0 : signal_bit(signal);
  block_signals(blocked | (action.mask & ~UNBLOCKABLE) | itself);
}

}  // namespace

void do_signal(trap_frame& registers) {
  while (const u32 signal = take_signal()) {
    if (!has_effect(signal)) continue;
    if (action_of(*current, signal).handler == abi::sig_dfl)
      act_by_default(signal);
    else
      run_handler(registers, signal);
  }
  settle_interrupted_call(registers, true);  // no handler ran
}

namespace {

// Sets the action of a signal; a pending signal that is ignored from now on is dropped.
void set_action(u32 signal, abi::sigaction action) {
  const irq_guard masked;
  action.mask &= ~UNBLOCKABLE;
  action_of(*current, signal) = action;
  if (ignored(*current, signal)) current->signal &= ~signal_bit(signal);
}

bool changeable(u32 signal) { return valid(signal) && !(signal_bit(signal) & UNBLOCKABLE); }

}  // namespace

// The saved eax is what the call "returns". A frame that cannot be read ends the process.
result<u32> sys_sigreturn() {
  trap_frame& registers = *current->user_registers;
  const result<u32> blocked = pop_signal_frame(registers);
  if (blocked) {
    block_signals(*blocked & ~UNBLOCKABLE);
  } else if (blocked.error() == error::eintr) {
    return fail(error::eintr);  // while the frame was read: the call is made again
  } else {
    printk("%s[%d]: bad signal frame\n", current->comm.data(), current->pid);
    force_signal(*current, signal_for(blocked.error()));
  }
  return value_of_call(registers);
}

// As in System V and the book: the action becomes the default again when the handler is called. The
// result is the earlier handler.
result<u32> sys_signal(u32 signal, u32 handler, u32 restorer) {
  if (!changeable(signal)) return fail(error::einval);
  const u32 earlier = action_of(*current, signal).handler;
  const u32 flags = abi::sa_resethand | abi::sa_nodefer | (restorer ? abi::sa_restorer : 0);
  set_action(signal, {.handler = handler, .mask = 0, .flags = flags, .restorer = restorer});
  return earlier;
}

result<void> sys_sigaction(u32 signal, user_ptr action, user_ptr old_action) {
  if (!valid(signal) || (action && !changeable(signal))) return fail(error::einval);
  const abi::sigaction earlier = action_of(*current, signal);
  abi::sigaction wanted{};
  if (action) wanted = TRY(get_user<abi::sigaction>(action));
  if (old_action) TRY(put_user(old_action, earlier));
  if (action) set_action(signal, wanted);
  return {};
}

result<void> sys_sigprocmask(u32 how, user_ptr set, user_ptr old_set) {
  const u32 earlier = current->blocked;
  u32 blocked = earlier;
  if (set) {
    const u32 bits = TRY(get_user<u32>(set));
    switch (how) {
      case abi::sig_block: blocked |= bits; break;
      case abi::sig_unblock: blocked &= ~bits; break;
      case abi::sig_setmask: blocked = bits; break;
      default: return fail(error::einval);
    }
  }
  if (old_set) TRY(put_user(old_set, earlier));
  block_signals(blocked & ~UNBLOCKABLE);
  return {};
}

// The signals that are blocked and have been sent.
result<void> sys_sigpending(user_ptr set) {
  return put_user(set, current->signal & current->blocked);
}

result<u32> sys_sgetmask() { return current->blocked; }

result<u32> sys_ssetmask(u32 mask) { return block_signals(mask & ~UNBLOCKABLE); }

// Any delivered signal ends it.
result<void> sys_pause() {
  wait_queue nobody_wakes;
  while (!signal_pending()) (void)interruptible_sleep_on(nobody_wakes);
  return fail(error::eintr);
}

constexpr duration LESS_THAN_A_SECOND{999'999'999};

// Returns the seconds that were left of the earlier alarm, rounded up and at least 1: 0 says that
// there was none. 0 seconds cancel it.
result<u32> sys_alarm(u32 seconds_ahead) {
  const irq_guard masked;
  const instant earlier = current->alarm;
  current->alarm = seconds_ahead ? now() + seconds(seconds_ahead) : never;
  if (earlier == never) return 0;
  const duration left = earlier - now();
  return static_cast<u32>(std::max((left + LESS_THAN_A_SECOND).seconds(), i64{1}));
}
