#include "hal/paging.h"

void load_page_directory(u32 physical_address) {
  asm volatile("mov %0, %%cr3" : : "r"(physical_address) : "memory");
}

void flush_translation(u32 address) { asm volatile("invlpg (%0)" : : "r"(address) : "memory"); }
