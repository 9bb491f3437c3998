// The machine's clocks: the 8254 timer, 100 times a second, and the battery-backed clock.
#pragma once

#include "lib/types.h"

// Starts the timer interrupt, which calls do_timer, and reads the date.
void clock_init();
