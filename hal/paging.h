// The processor's page tables: the few instructions that C++ cannot express.
#pragma once

#include "lib/types.h"

// The page directory that head.asm made: the kernel's half, shared by every address space.
extern "C" u32 kernel_page_directory[1024];

// Makes the page directory at this physical address the active one and forgets cached translations.
void load_page_directory(u32 physical_address);
// The address whose use raised the page fault that is being handled; the next fault overwrites it.
u32 faulting_address();
// Forgets the cached translation of one address, after its page table entry changed.
void flush_translation(u32 address);
