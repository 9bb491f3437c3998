// Interrupts as simulated hardware raises them.
#pragma once

#include "lib/types.h"

namespace sim {

// Runs the handlers of the line at once, or, if the current fiber masks interrupts, when it unmasks
// them.
void raise_irq(u8 line);
// An interrupt is on its way (interrupt moderation), or is no longer: until then no wake-up is
// lost.
void expect_irq();
void forget_irq();

}  // namespace sim
