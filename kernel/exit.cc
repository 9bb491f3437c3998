// exit, waitpid and kill (the book's exit.c): how a process ends, and how its father learns of it.
//
// A dead process stays in the task array as a zombie, with its number and its exit code, until its
// father has asked for them; a process without a father belongs to process 1. Exit codes have the
// traditional form: the value of exit() in bits 8 to 15, or the signal that killed it in the low
// ones.
#include "drivers/char/tty.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/panic.h"
#include "kernel/files.h"
#include "kernel/init.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"
#include "mm/address_space.h"

task_struct* find_process(int pid) {
  for (task_struct* t : task)
    if (t && t->pid == pid) return t;
  return nullptr;
}

void tell_father(task_struct& child) {
  if (!child.father) return;
  send_signal(*child.father, abi::sigchld);
  wake_up(child.father->child_exited);
}

void reparent_children(task_struct& dead) {
  task_struct* const init = find_process(1);
  for (task_struct* t : task) {
    if (!t || t->father != &dead) continue;
    t->father = init;
    if (t->state == task_state::zombie) tell_father(*t);
  }
}

namespace {

// Whether its father could continue it if it stopped: one in the same session but in another group
// (POSIX). Process 1 continues none.
bool has_keeper(const task_struct& t) {
  return t.father && t.father->pid != 1 && t.father->pgrp != t.pgrp &&
         t.father->session == t.session;
}

// A group is orphaned when no member has a keeper. `without` counts neither as a member nor as a
// father.
bool orphaned(int pgrp, const task_struct* without) {
  for (const task_struct* t : task) {
    if (!t || t == without || t->pgrp != pgrp || t->state == task_state::zombie) continue;
    if (t->father != without && has_keeper(*t)) return false;
  }
  return true;
}

// Process 1 does not count: it is stopped only at the end of the machine (sys_reboot.cc).
bool has_stopped(int pgrp) {
  for (const task_struct* t : task)
    if (t && t->pgrp == pgrp && t->state == task_state::stopped && t->pid != 1) return true;
  return false;
}

// When `dead` was, or had, the last keeper of a group that has stopped members, the group gets
// SIGHUP and SIGCONT (POSIX). A group that was orphaned before has been told.
void release_orphaned_groups(task_struct& dead) {
  for (const task_struct* t : task) {
    const bool concerned = t && (t == &dead || t->father == &dead);
    if (!concerned || !has_keeper(*t) || !has_stopped(t->pgrp) || !orphaned(t->pgrp, &dead))
      continue;
    signal_group(t->pgrp, abi::sighup);
    signal_group(t->pgrp, abi::sigcont);
  }
}

// The child of a father that ignores SIGCHLD goes to process 1, which releases it. The father may
// have been waiting for it: there may be no child any more. Process 1 gets its own in any case.
void leave_ignoring_father(task_struct& dead) {
  task_struct* const father = dead.father;
  if (!father || father->pid == 1 || !ignores_children(*father)) return;
  dead.father = find_process(1);
  wake_up(father->child_exited);
}

void stop_listening() {
  const irq_guard masked;
  current->alarm = never;
  current->blocked = ~u32{0};
  current->signal = current->forced = 0;
  current->interrupted_call = 0;  // process 1 runs another program behind this
  current->sleep_end = never;
}

// Without a space a task gets no signals.
address_space* leave_space() {
  const irq_guard masked;
  address_space::activate_kernel();
  return std::exchange(current->space, nullptr);
}

}  // namespace

bool is_orphaned(int pgrp) { return orphaned(pgrp, nullptr); }

// It may sleep, so all signals are blocked first. Errors of closing files have no receiver any
// more.
void give_everything_back() {
  stop_listening();
  // Before the files are closed, which may take long: when memory is short, it is waited for.
  if (current->space) current->space->free_page_tables();
  close_files(false);
  current->fs = {};
  current->executable = {};  // may delete its file: until then power off waits for this process
  if (address_space* const space = leave_space()) address_space::destroy(space);
}

// `code` is the whole status. Process 1 does not end: it is begun again.
void do_exit(u32 code) {
  kassert(current != task[0]);
  if (current->pid == 1) restart_init(code);
  give_everything_back();
  if (current->leader) tty_session_ended(current->session);
  release_orphaned_groups(*current);
  reparent_children(*current);
  const irq_guard masked;
  current->exit_code = code;
  current->state = task_state::zombie;
  leave_ignoring_father(*current);
  tell_father(*current);
  schedule();
  panic("a dead task ran");
}

result<void> sys_exit(u32 code) { do_exit((code & 0xFF) << 8); }

namespace {

// The group that a negative number names. The lowest int has no opposite: it names no group.
int group_named_by(int pid) { return static_cast<int>(0u - static_cast<u32>(pid)); }

// Whether waitpid's `pid` names this child.
bool meant(const task_struct& child, int pid) {
  if (pid > 0) return child.pid == pid;
  if (pid == 0) return child.pgrp == current->pgrp;
  return pid == -1 || child.pgrp == group_named_by(pid);
}

struct found {
  bool any = false;              // there is such a child
  task_struct* ready = nullptr;  // a child that has ended or stopped
};

found look_for_child(int pid, u32 options) {
  found result;
  for (task_struct* t : task) {
    if (!t || t->father != current || !meant(*t, pid)) continue;
    result.any = true;
    const bool stopped = t->state == task_state::stopped && t->exit_code != 0;
    if (t->state == task_state::zombie || (stopped && options & abi::wuntraced)) result.ready = t;
  }
  return result;
}

// The end or the stop is reported once: a zombie is released, a stop is forgotten.
u32 take_news(task_struct& child) {
  const u32 pid = static_cast<u32>(child.pid);
  if (child.state == task_state::stopped) {
    child.exit_code = 0;
    return pid;
  }
  current->child_user_ticks += child.user_ticks + child.child_user_ticks;
  current->child_system_ticks += child.system_ticks + child.child_system_ticks;
  release(child);
  return pid;
}

}  // namespace

result<u32> sys_waitpid(u32 pid, user_ptr status, u32 options) {
  if (options & ~(abi::wnohang | abi::wuntraced)) return fail(error::einval);
  if (status) TRY(user_span(status, sizeof(u32), true));
  for (;;) {
    const found children = look_for_child(static_cast<int>(pid), options);
    if (!children.any) return fail(error::echild);
    if (children.ready) {
      if (status) TRY(put_user(status, children.ready->exit_code));
      return take_news(*children.ready);
    }
    if (options & abi::wnohang) return 0;
    if (interruptible_sleep_on(current->child_exited) == wake_reason::signalled)
      return fail(error::eintr);
  }
}

namespace {

u32 signal_process(int pid, u32 signal) {
  task_struct* const to = find_process(pid);
  if (!to) return 0;
  if (signal) send_signal(*to, signal);
  return 1;
}

}  // namespace

// Signal 0 sends nothing: it only asks whether such a process exists.
result<void> sys_kill(u32 pid, u32 signal) {
  if (signal >= abi::nsig) return fail(error::einval);
  const int who = static_cast<int>(pid);
  const u32 reached = who > 0     ? signal_process(who, signal)
                      : who == 0  ? signal_group(current->pgrp, signal)
                      : who == -1 ? signal_all(signal)
                                  : signal_group(group_named_by(who), signal);
  if (reached == 0) return fail(error::esrch);
  return {};
}
