// The PC, made ready for the kernel.
#pragma once

#include "lib/types.h"

// Runs the constructors of static objects, sets the processor up, takes the boot options and the
// memory from the loader's information, and starts the clock. Interrupts stay masked.
void machine_init(u32 multiboot_information);
