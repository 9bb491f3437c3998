#pragma once

#include "hal/panic.h"
#include "kernel/i386/trap_frame.h"

// panic() for an exception that the kernel itself raised: shows the registers it raised it with.
[[noreturn]] void panic_with_registers(const char* what, const trap_frame& registers);
