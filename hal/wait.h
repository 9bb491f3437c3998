// Sleeping and waking, with deadlines.
//
// Rules: a task sleeps on a wait_queue until another task or an interrupt handler wakes the queue,
// the deadline passes, or (the interruptible kind) a signal arrives. After every sleep everything
// may have changed: callers loop and test again, visibly, as in the book. A test of something that
// an interrupt handler changes and the sleep that follows stand together under one irq_guard.
//
// Difference from the book: in 0.11 each sleeper's stack holds a pointer to the next one, so a
// single sleeper cannot be woken at a deadline. Here the queue is a list; wake_up wakes all, latest
// sleeper first, in the book's order.
#pragma once

#include "lib/intrusive_list.h"
#include "lib/time.h"

struct task_struct;

// A sleeper, standing on its own kernel stack for the length of its sleep.
struct waiter {
  task_struct* task = nullptr;
  list_link<waiter> link;
};

struct wait_queue {
  intrusive_list<waiter, &waiter::link> waiters;
};

enum class wake_reason : unsigned char { woken, timed_out, signalled };

// Sleep; kernel tasks and processes only, never an interrupt handler. timed_out is returned only if
// the queue was not woken first. sleep_on never returns signalled.
wake_reason sleep_on(wait_queue& queue, instant deadline);
wake_reason sleep_on(wait_queue& queue);  // without a deadline
wake_reason interruptible_sleep_on(wait_queue& queue, instant deadline = never);

// Wakes every sleeper of the queue. Never sleeps; callable from interrupt handlers.
void wake_sleepers(wait_queue& queue);
inline void wake_up(wait_queue& queue) {
  // Most queues are empty, and only a task, which does not run now, can join one.
  if (!queue.waiters.empty()) wake_sleepers(queue);
}

// Sleeps for `time`; neither a wake-up nor a signal ends it.
void sleep_for(duration time);
