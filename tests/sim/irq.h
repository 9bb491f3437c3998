// Interrupts as simulated hardware raises them.
#pragma once

#include "lib/types.h"

namespace sim {

// Runs the handlers of the line: at once, or as soon as the current fiber no longer masks
// interrupts.
void raise_irq(u8 line);

}  // namespace sim
