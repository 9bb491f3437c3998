// info: the kernel's own info files: tasks, memory, the kernel's messages, and files of sticks.
#pragma once

#include "lib/format.h"

// Registers them. Called once at boot.
void kernel_info_init();

// The text of /dev/files. Never sleeps.
void print_files(text_sink& out);
