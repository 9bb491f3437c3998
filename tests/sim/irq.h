// Interrupts as simulated hardware raises them.
#pragma once

#include <functional>

#include "lib/time.h"
#include "lib/types.h"

namespace sim {

// Runs the handlers of the line at once, or, if the current fiber masks interrupts, when it unmasks
// them.
void raise_irq(u8 line);
// A level-triggered line, as one of its devices drives it. The handlers run again and again as long
// as it is raised; when none of them has claimed it 10,000 times in a row, it is masked for ever,
// as in the kernel. A handler that claims it so often without lowering it fails the test.
void drive_irq(u8 line, bool raised);
bool irq_is_masked(u8 line);
// Whether an interrupt could come now.
bool irqs_are_enabled();
// An interrupt is on its way (interrupt moderation), or is no longer: until then no wake-up is
// lost.
void expect_irq();
void forget_irq();
// Called before a task masks interrupts, with the place in the product: the last moment at which
// one can come. For the rest of the world's life, or until it gets an empty function.
void before_each_mask(std::function<void(const void* place)> action);
// An interrupt has come at a delicate moment: for so long every sleeper is probed (scheduler.h,
// Lost wake-ups) each time the clock moves.
void probe_all_for(duration span);
// Runs the handlers of the line; whether one of them says that its device had raised it.
bool irq_is_claimed(u8 line);
// How many handlers the line has, and how many of them asked for a level-triggered line.
struct irq_users {
  u32 all, level_triggered;
};
irq_users users_of_irq(u8 line);

}  // namespace sim
