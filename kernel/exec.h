// exec: a process changes its program.
#pragma once

#include <string_view>

#include "kernel/arguments.h"
#include "kernel/user_mode.h"
#include "lib/result.h"
#include "lib/user_ptr.h"

// The book's do_execve. Loads nothing yet but the headers: pages come when they are touched. On an
// error nothing has changed and the old program goes on. Returns where the new program begins.
// Sleeps.
result<program_start> do_execve(std::string_view path, user_ptr argv, user_ptr envp);

// The same for process 1, whose arguments come from the kernel.
result<program_start> exec_init(std::string_view path);
