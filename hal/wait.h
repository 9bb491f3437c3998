// Sleeping and waking, with deadlines.
//
// Rules: a task sleeps on a wait_queue until the queue is woken, the deadline passes, or (the
// interruptible kind) a signal arrives. After every sleep everything may have changed: callers loop
// and test again, visibly, as in the book. A test of something that an interrupt handler changes
// and the sleep that follows stand together under one irq_guard.
//
// Where this differs from the book: 0.11 threads its queue through the sleepers' stacks, which
// leaves no way to wake one at a deadline. Here the queue is a list; wake_up wakes all, latest
// sleeper first, which is the order the book shows.
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
wake_reason sleep_on(wait_queue& queue, instant deadline = never);
wake_reason interruptible_sleep_on(wait_queue& queue, instant deadline = never);

// Wakes every sleeper of the queue. Never sleeps; callable from interrupt handlers.
void wake_up(wait_queue& queue);

// Sleeps for `time`, whatever happens.
void sleep_for(duration time);
