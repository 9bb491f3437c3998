// system_call: the gate of int 0x80 (the book's system_call.s). The number is in eax, the arguments
// are in ebx, ecx, edx, esi and edi; the result, or -errno, goes to eax.
#pragma once

#include "kernel/i386/trap_frame.h"

// Called by handle_trap with interrupts enabled. Sleeps as its call does. An unknown number gets
// -enosys.
void system_call(trap_frame& registers);
