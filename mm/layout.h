// What stands where in an address space, and how the kernel reaches physical memory.
//
// 0 … KERNEL_BASE is the process's, KERNEL_BASE … is the kernel's, the same in every space: all low
// physical memory in a row (the direct map), then the windows of device registers, and the kernel
// stacks.
#pragma once

#include "lib/types.h"

constexpr u32 KERNEL_BASE = 0x8000'0000;  // kernel/kernel.mk reads it here
constexpr u32 USER_STACK_TOP = 0x7FFF'F000;
constexpr u32 USER_STACK_MAX = 0x0080'0000;   // the stack grows down to at most this size
constexpr u32 DIRECT_MAP_SIZE = 0x7800'0000;  // 1920 MiB; memory above it is not used
constexpr u32 MMIO_START = 0xF800'0000;       // windows of device registers
constexpr u32 MMIO_SIZE = 0x0100'0000;
constexpr u32 KERNEL_STACKS_START = 0xF900'0000;  // hal/kernel_stack.h

inline u32 virtual_address(const void* memory) {
  return static_cast<u32>(reinterpret_cast<uintptr_t>(memory));
}
// Of memory in the direct map.
inline u32 physical_address(const void* memory) { return virtual_address(memory) - KERNEL_BASE; }
inline byte* direct_map(u32 physical) { return reinterpret_cast<byte*>(physical + KERNEL_BASE); }
