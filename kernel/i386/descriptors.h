// The processor's tables: segments (GDT), gates (IDT) and the task state segment, of which only the
// kernel stack is used: tasks are switched in software.
#pragma once

#include "lib/types.h"

constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code = 0x18 | 3, user_data = 0x20 | 3,
              task_state_selector = 0x28;

constexpr u32 first_irq_vector = 32;  // the 8259s' 16 lines
constexpr u32 system_call_vector = 0x80;

// Fills the tables and loads them.
void descriptors_init();
// The stack that the processor changes to when user mode is interrupted.
void set_kernel_stack(void* top);
