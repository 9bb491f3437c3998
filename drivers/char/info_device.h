// Info files (lib/abi.h, info_file): /dev/ckpt, /dev/tasks, /dev/mounts and others. Their text is
// written anew at every read, one record a line; other systems keep such files under /proc. A line
// that a program writes to one is a command.
#pragma once

#include <string_view>

#include "lib/abi.h"
#include "lib/format.h"
#include "lib/result.h"

// Writes the whole text. May not sleep.
using info_text = void (*)(text_sink& out);
// Executes one command line that was written to the file. May sleep.
using info_command = result<void> (*)(std::string_view line);

// Without a command, writing to the file is einval. Called once for each file, at boot.
void register_info(abi::info_file file, info_text text, info_command command = nullptr);
// Registers major 10. Called once at boot.
void info_init();
