// fork (the book's fork.c): a process becomes two.
//
// The child is a copy of everything but its number, its pending signals, its alarm and its times.
// Memory is not copied: copy_page_tables shares every page read-only, and the first write of either
// side copies one (mm/). Open files are shared, the directories and the umask are the child's own.
#include "hal/irq.h"
#include "hal/panic.h"
#include "kernel/files.h"
#include "kernel/process.h"
#include "kernel/sys.h"
#include "kernel/user_mode.h"
#include "mm/address_space.h"

namespace {

// What fork copies of a task by plain assignment.
void copy_identity(const task_struct& parent, task_struct& child) {
  child.priority = parent.priority;
  child.pgrp = parent.pgrp;
  child.session = parent.session;
  child.comm = parent.comm;
  child.blocked = parent.blocked;
  child.sigaction = parent.sigaction;
}

}  // namespace

// The book's copy_process. Nothing in it sleeps after the child is in the task array, and the child
// runs only when it is complete.
static result<task_struct*> copy_process() {
  task_struct& child = *TRY(create_task({current->comm.data()}));
  const result<address_space*> space = current->space->copy_page_tables();
  if (!space) {
    release(child);
    return fail(space.error());
  }
  copy_identity(*current, child);
  child.space = *space;
  child.fs = current->fs.copy();
  child.executable = current->executable.copy();
  child.father = current;
  share_files(*current, child);
  prepare_fork_return(child);
  return &child;
}

// A signal that comes first is delivered first, and then fork begins again: ^C in the middle would
// end the parent, and a child that is made afterwards would have missed it. Later the child is a
// member of the group that gets it; so no interrupt comes in between.
result<u32> sys_fork() {
  const irq_guard masked;
  if (signal_pending()) return fail(error::eintr);
  task_struct& child = *TRY(copy_process());
  const u32 pid = static_cast<u32>(child.pid);
  start_task(child);
  return pid;
}
