// system_call: the gate of the system calls (the book's system_call.s). kernel/i386/traps.cc takes
// the number and the arguments from the registers of int 0x80.
#pragma once

#include <array>

#include "lib/types.h"

using system_call_arguments = std::array<u32, 5>;

// Called with interrupts enabled; sleeps as its call does. Returns the call's value, or -errno; an
// unknown number gets -enosys.
i32 system_call(u32 call, const system_call_arguments& arguments);
