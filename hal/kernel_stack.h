// Kernel stacks: each task has one. A guard page, which is not mapped, lies below each: a task that
// uses more than its stack is stopped at once, before it overwrites anything.
#pragma once

#include <span>

#include "lib/types.h"

constexpr u32 KERNEL_STACK_SIZE = 16384;
constexpr u32 KERNEL_STACK_PLACES = 192;

// The stack in place `number`, which has none; its bytes have any value. Empty when memory is
// short. Never sleeps.
std::span<byte> allocate_kernel_stack(u32 number);
// Frees it; no task may be running on it. Never sleeps.
void free_kernel_stack(std::span<byte> stack);
