#include "hal/paging.h"

void load_page_directory(u32 physical_address) {
  asm volatile("mov %0, %%cr3" : : "r"(physical_address) : "memory");
}

u32 faulting_address() {
  u32 address;
  asm volatile("mov %%cr2, %0" : "=r"(address));
  return address;
}

void flush_translation(u32 address) { asm volatile("invlpg (%0)" : : "r"(address) : "memory"); }
