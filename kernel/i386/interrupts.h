// The processor's interrupt flag, and the 8259s behind the lines of hal/irq.h.
#pragma once

#include "lib/types.h"

void enable_interrupts();
void disable_interrupts();
bool interrupts_are_enabled();
// Enables interrupts and waits for one, in one step: none is handled between the two.
void wait_for_interrupt();

// Programs both 8259s with all lines masked.
void interrupts_init();
// Runs the handlers of a line: what the vectors from first_irq_vector on lead to.
void handle_irq(u8 line);
