// A double fault: the processor could not even begin to handle a fault, in most cases because the
// kernel stack has no room for its registers. It is reported on a stack of its own and ends the
// kernel.
#pragma once

#include "kernel/i386/trap_frame.h"

// Where the task gate of the double fault leads (descriptors.cc).
[[noreturn]] void double_fault();
// What the registers were when it happened. `esp` is the kernel's stack pointer.
trap_frame registers_at_double_fault();
