// signal: what happens to a process out of turn. signal.cc.
//
// send_signal (sched.h) marks, do_signal (sched.h) delivers on the way back to user mode. A signal
// that is ignored when it is sent is forgotten at once, so that it wakes nobody.
#pragma once

#include "kernel/sched.h"

constexpr u32 signal_bit(u32 signal) { return u32{1} << (signal - 1); }

// Neither may be caught, blocked or ignored.
constexpr u32 UNBLOCKABLE = signal_bit(abi::sigkill) | signal_bit(abi::sigstop);

// Delivered even if it is blocked or ignored, and to process 1, too: for a program's own fault,
// whose instruction would only fault again, and for the end of the machine. The default action
// then.
void force_signal(task_struct& to, u32 signal);

// Sends to every process of a group; how many there were. Never sleeps; callable from interrupt
// handlers.
u32 signal_group(int pgrp, u32 signal);
// The same for everybody but process 1 and the current one.
u32 signal_all(u32 signal);

// exec: handlers are gone with the old program; what was ignored stays ignored.
void reset_handlers(task_struct& t);
