// The 8259s behind the lines of hal/irq.h.
#pragma once

#include "lib/types.h"

// Programs both 8259s with all lines masked.
void interrupts_init();
// Runs the handlers of a line: what the vectors from first_irq_vector on lead to.
void handle_irq(u8 line);
