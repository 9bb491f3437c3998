// Interrupts as simulated hardware raises them.
#pragma once

#include "lib/types.h"

namespace sim {

// Runs the handlers of the line at once, or, if the current fiber masks interrupts, when it unmasks
// them.
void raise_irq(u8 line);

}  // namespace sim
