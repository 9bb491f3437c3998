// signal: telling a process of an event at any moment. signal.cc.
//
// send_signal (sched.h) marks, do_signal (sched.h) delivers on the way back to user mode. A signal
// that is ignored when it is sent is dropped at once and wakes no task.
#pragma once

#include "kernel/sched.h"

constexpr u32 signal_bit(u32 signal) { return u32{1} << (signal - 1); }

// Neither may be caught, blocked or ignored.
constexpr u32 UNBLOCKABLE = signal_bit(abi::sigkill) | signal_bit(abi::sigstop);

// Whether the current process neither blocks nor ignores a signal. Never sleeps.
bool accepts_signal(u32 signal);
// Whether a signal is pending that is going to end the current process. Never sleeps.
bool fatal_signal_pending();

// Sends to every process of a group and returns how many processes it has. Never sleeps; callable
// from interrupt handlers.
u32 signal_group(int pgrp, u32 signal);
// The same for all processes but process 1 and the current one.
u32 signal_all(u32 signal);

// Blocks these signals of the current process and no others; returns those blocked before.
// Interrupt handlers read them: nothing else may assign them to a process that runs.
u32 block_signals(u32 signals);

// Whether a process has set SIGCHLD to be ignored: its children leave no zombie (POSIX).
bool ignores_children(const task_struct& t);

// Nothing is blocked, and every signal has its default action: process 1 begins again.
void begin_with_default_signals();

// exec: the handlers were functions of the old program, so these signals get their default action;
// ignored signals stay ignored.
void reset_handlers(task_struct& t);
