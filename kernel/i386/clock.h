// The machine's clocks: the 8254 timer, 100 times a second, and the battery-backed clock.
#pragma once

#include "lib/types.h"

// Starts the timer interrupt, which calls do_timer, and reads the date.
void clock_init();
// For stime(2): the date when now() was 0 (hal/clock.h), in seconds since 1970, until the power
// goes off.
void set_boot_date(u32 seconds);
