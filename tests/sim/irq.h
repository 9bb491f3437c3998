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
// Runs the handlers of the line; whether one of them says that its device had raised it.
bool irq_is_claimed(u8 line);
// How many handlers the line has, and how many of them asked for a level-triggered line.
struct irq_users {
  u32 all, level_triggered;
};
irq_users users_of_irq(u8 line);

}  // namespace sim
