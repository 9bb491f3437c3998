// Info files: /dev/ckpt, /dev/tasks, /dev/mounts …: text that the kernel writes anew at every read,
// one record a line. What other systems keep under /proc, in thirty lines.
#pragma once

#include <string_view>

#include "lib/abi.h"
#include "lib/format.h"
#include "lib/result.h"

// Writes the whole text. May not sleep.
using info_text = void (*)(text_sink& out);
// Executes one command line that was written to the file. May sleep.
using info_command = result<void> (*)(std::string_view line);

void register_info(abi::info_file file, info_text text, info_command command = nullptr);
// Registers major 10. Called once at boot.
void info_init();
