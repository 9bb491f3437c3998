// signal_frame: a handler runs on the user's stack as if the program had called it, and sigreturn
// brings the program back to where it was. As in i386 Linux: the handler finds its signal as its
// argument and returns into `pop eax; mov eax, sigreturn; int 0x80`, which is the program's own
// code (sa_restorer) or, without one, stands in the frame itself.
#pragma once

#include "kernel/sched.h"

// Puts the frame on the user's stack and points the registers at the handler. `blocked`: the mask
// that sigreturn sets again. On an error nothing has changed. Sleeps: the stack's page may have to
// be copied, or read from a disk. Errors: efault (no such stack), eio; enomem when no process was
// left to end (out_of_memory.h).
result<void> push_signal_frame(trap_frame& registers, u32 signal, const abi::sigaction& action,
                               u32 blocked);

// sigreturn: takes the frame off again and tells which signals it says were blocked. Errors:
// efault.
result<u32> pop_signal_frame(trap_frame& registers);
