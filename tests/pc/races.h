// What tasks and interrupt handlers share: finds a task that uses it while an interrupt may come.
//
// The compiler calls a function of races.cc before every access to memory in kernel/ and mm/
// (-fsanitize=thread, without its library). A word belongs to its task until an interrupt handler
// uses it. From then on it is shared: a task that writes it, or reads in pieces what a handler
// writes, must have masked interrupts (irq_guard). (A word that is read at once has the value of
// one moment.) This holds whether an interrupt comes in that moment or not, so one run of a test
// shows it: Eraser's lock set (Savage et al., SOSP 1997) with one lock, the mask.
//
// Watched are the kernel's variables and the tasks' structures; stacks and other pages are used for
// one thing after another and are not.
#pragma once

namespace pc {

// In an interrupt handler: whatever send_signal and wake_task touch is shared from now on. A key
// can make a terminal call them for any process at any moment.
void expect_signals();

// Forgets all that is shared: a machine is switched on.
void forget_races();

// In an interrupt handler, as long as it lives.
class interrupt_scope {
 public:
  interrupt_scope();
  ~interrupt_scope();
  interrupt_scope(const interrupt_scope&) = delete;
  interrupt_scope& operator=(const interrupt_scope&) = delete;
};

}  // namespace pc
