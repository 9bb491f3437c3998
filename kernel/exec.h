// exec: a process changes its program.
#pragma once

#include <string_view>

#include "kernel/arguments.h"
#include "kernel/i386/trap_frame.h"
#include "lib/result.h"

// The book's do_execve. Loads nothing yet but the headers: pages come when they are touched. On an
// error nothing has changed and the old program goes on. `argv` and `envp` are user addresses.
// Returns the registers of the new program's first instruction. Sleeps.
result<trap_frame> do_execve(std::string_view path, u32 argv, u32 envp);

// The same for process 1, whose arguments come from the kernel.
result<trap_frame> exec_init(std::string_view path);
