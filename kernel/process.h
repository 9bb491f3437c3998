// process: how processes begin, end, and are found. fork.cc, exec.cc, exit.cc.
#pragma once

#include "kernel/sched.h"

// The process with this number, zombies too; null when there is none. Never sleeps.
task_struct* find_process(int pid);

// Makes all children of `dead` children of process 1, and tells process 1 about the zombies.
void reparent_children(task_struct& dead);

// A father learns that a child has ended or stopped: SIGCHLD, and waitpid looks again.
void tell_father(task_struct& child);

// Whether no process could continue the stopped ones of a group (POSIX: an orphaned process group).
// Never sleeps.
bool is_orphaned(int pgrp);

// Whether a process of the session is in the group. Never sleeps. sys_process.cc.
bool group_in_session(int pgrp, int session);

// The current process becomes the leader of a new session and of a new group. sys_process.cc.
void lead_session();

// Gives back everything that the current process holds except its number and its place in the task
// array: files, directories, memory. Sleeps, uninterruptibly.
void give_everything_back();
