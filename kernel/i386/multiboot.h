// What a Multiboot 1 loader tells the kernel (Multiboot Specification 0.6.96, 3.3). All addresses
// are physical.
#pragma once

#include "lib/types.h"

struct multiboot_info {
  u32 flags;
  u32 memory_lower, memory_upper;  // KiB below 640 KiB, above 1 MiB
  u32 boot_device;
  u32 command_line;
  u32 module_count, modules;
  u32 symbols[4];
  u32 memory_map_length, memory_map;
};
constexpr u32 multiboot_has_memory = 1 << 0, multiboot_has_command_line = 1 << 2,
              multiboot_has_memory_map = 1 << 6;

struct [[gnu::packed]] multiboot_memory {
  u32 size;  // of what follows; the next entry stands behind it
  u64 address, length;
  u32 type;  // 1: usable memory
};
static_assert(sizeof(multiboot_memory) == 24);
