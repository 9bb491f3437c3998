// Interrupts: masking them for a few instructions, and receiving them.
#pragma once

#include "lib/result.h"
#include "lib/types.h"

// Masks interrupts on this CPU while it lives. Nests: each guard restores what it found. sleep_on
// may be called under one; the mask belongs to the task and is back when it runs again.
class [[nodiscard]] irq_guard {
 public:
  irq_guard();
  ~irq_guard();
  irq_guard(const irq_guard&) = delete;
  irq_guard& operator=(const irq_guard&) = delete;

 private:
  bool were_enabled_;
};

// Called with interrupts masked; it marks and wakes, never sleeps. Returns whether its device had
// raised the line: PCI lines are shared.
using irq_handler = bool (*)(void* argument);

// The lines of the timer, the keyboard, the cascade, the clock and the FPU belong to the board.
// They are edge-triggered, and no PCI device can be on one of them (82371AB, ELCR: their bits are
// reserved). Firmware that has routed no line to a device may say 0.
constexpr bool can_be_level_triggered(u8 line) {
  constexpr u32 of_the_board = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 8 | 1 << 13;
  return line < 16 && !(of_the_board >> line & 1);
}

// Adds a handler to line 0..15 of the 8259s and unmasks it. `level` marks a level-triggered (PCI)
// line. Errors: einval for a line that does not exist, and with `level` for one of the board or one
// that has edge-triggered handlers (and the reverse); enfile when the table is full. Never sleeps.
result<void> request_irq(u8 line, bool level, irq_handler handler, void* argument);

// The processor's mask itself, for the scheduler and the ways into the kernel; irq_guard is for
// everything else.
void enable_interrupts();
void disable_interrupts();
bool interrupts_are_enabled();
// Enables interrupts and waits for one, in one step: none is handled between the two.
void wait_for_interrupt();
