// The processor's tables: segments (GDT), gates (IDT) and two task state segments. Of the first
// only the kernel stack is used: tasks are switched in software. A double fault enters the second.
#pragma once

#include "lib/types.h"

constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code = 0x18 | 3, user_data = 0x20 | 3,
              task_state_selector = 0x28, double_fault_selector = 0x30;

constexpr u32 first_irq_vector = 32;  // the 8259s' 16 lines
constexpr u32 system_call_vector = 0x80;

// Fills the tables and loads them.
void descriptors_init();
// The stack that the processor changes to when user mode is interrupted.
void set_kernel_stack(void* top);
