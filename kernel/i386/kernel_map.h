// The kernel's half of the address space, beyond the direct map that head.asm has made.
#pragma once

#include "lib/types.h"

// Makes the kernel's text and constants read-only, takes away the page below the boot stack, and
// makes the page table of the kernel stacks. At boot, before the first address space, which copies
// the directory.
void kernel_map_init();
// Whether the address lies in the guard page of a kernel stack.
bool is_in_guard_page(u32 address);
