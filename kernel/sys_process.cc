// The system calls about a process itself: its numbers, its group, its memory.
#include "hal/irq.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/sys.h"
#include "mm/address_space.h"

result<u32> sys_getpid() { return static_cast<u32>(current->pid); }

result<u32> sys_getppid() {
  return current->father ? static_cast<u32>(current->father->pid) : u32{0};
}

result<u32> sys_getpgrp() { return static_cast<u32>(current->pgrp); }

result<u32> sys_getpgid(u32 pid) {
  const task_struct* const asked = pid ? find_process(static_cast<int>(pid)) : current;
  if (!asked) return fail(error::esrch);
  return static_cast<u32>(asked->pgrp);
}

bool group_in_session(int pgrp, int session) {
  for (const task_struct* t : task)
    if (t && t->pgrp == pgrp && t->session == session) return true;
  return false;
}

// A process may move itself and its children into another group of its session: a new group, or a
// group that exists there.
result<void> sys_setpgid(u32 pid, u32 pgid) {
  task_struct* const moved = pid ? find_process(static_cast<int>(pid)) : current;
  if (!moved || (moved != current && moved->father != current)) return fail(error::esrch);
  const int group = pgid ? static_cast<int>(pgid) : moved->pid;
  if (group < 0) return fail(error::einval);
  if (moved != current && moved->executed) return fail(error::eacces);
  if (moved->leader || moved->session != current->session) return fail(error::eperm);
  if (group != moved->pid && !group_in_session(group, moved->session)) return fail(error::eperm);
  const irq_guard masked;  // a terminal signals a group
  moved->pgrp = group;
  return {};
}

void lead_session() {
  const irq_guard masked;
  current->leader = true;
  current->session = current->pgrp = current->pid;
}

namespace {

bool group_exists(int pgrp) {
  for (const task_struct* t : task)
    if (t && t->pgrp == pgrp) return true;
  return false;
}

}  // namespace

// The new session's group has the caller's number, so no group may have it yet: a member that the
// caller has left behind would be in two sessions (POSIX).
result<u32> sys_setsid() {
  if (current->leader || group_exists(current->pid)) return fail(error::eperm);
  lead_session();
  return static_cast<u32>(current->pid);
}

// As on Linux: returns the break after the call, moved or not; the libc compares to find out.
result<u32> sys_brk(u32 address) {
  if (address) (void)current->space->set_break(address);
  return current->space->program_break();
}
