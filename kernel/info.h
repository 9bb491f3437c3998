// info: the kernel's own info files: tasks, memory, and the kernel's messages.
#pragma once

// Registers them. Called once at boot.
void kernel_info_init();
