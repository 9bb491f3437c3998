// init: process 1 (the book's init()), the kernel's part of it.
#pragma once

#include "lib/types.h"

// The body of the first task that is started. Ends the boot with all that may sleep – mounting the
// root, starting the drivers that have tasks of their own – and becomes the program /sbin/init.
void init(void*);

// Process 1 has ended, but must always exist: begins it again, a second later.
[[noreturn]] void restart_init(u32 exit_code);
