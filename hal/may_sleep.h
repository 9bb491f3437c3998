// A function that may sleep says so where it begins: a caller that must not sleep is then found at
// its first call, and not only when the function does sleep.
//
// Not for sleep_on and what consists of it: that may be called under an irq_guard, so that nothing
// happens between the last look at a condition and the sleep.
#pragma once

// Panics when the caller must not sleep: in an interrupt handler, or while an irq_guard is held.
// Never sleeps.
void may_sleep();
