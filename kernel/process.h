// process: how processes come into the world, end, and are found. fork.cc, exec.cc, exit.cc.
#pragma once

#include "kernel/sched.h"

// The process with this number, zombies too; null when there is none. Never sleeps.
task_struct* find_process(int pid);

// Makes all children of `dead` those of process 1, and tells it about the zombies among them.
void reparent_children(task_struct& dead);

// A father learns that a child has ended or stopped: SIGCHLD, and waitpid looks again.
void tell_father(task_struct& child);

// Everything that the current process holds but its number and its relatives goes: files,
// directories, memory. Sleeps, uninterruptibly.
void give_everything_back();
