// The kernel's windows on device registers (hal/mmio.h), in the address range MMIO_START.
#pragma once

// Makes the page tables of the whole range, so that every address space made later shares them.
void mmio_init();
