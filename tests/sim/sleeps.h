// The sleeps of all tasks, for tests that measure them.
#pragma once

#include <functional>
#include <string>

#include "lib/time.h"

namespace sim {

// Called when a task returns from a sleep on a queue: the return address of sleep_on, and since
// when it has slept. Not called for a probe (scheduler.h, Lost wake-ups). For the rest of the
// world's life, or until it gets an empty function.
void after_each_sleep(std::function<void(const void* return_address, instant since)> action);

// "function file:line" of the call before this return address.
std::string place_of(const void* return_address);

}  // namespace sim
