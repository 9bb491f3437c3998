// info: what the kernel itself tells about in info files: tasks, memory, and its own messages.
#pragma once

// Registers them. Called once at boot.
void kernel_info_init();
