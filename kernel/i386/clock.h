// The machine's clocks: the 8254 timer, 100 times a second, and the battery-backed clock.
#pragma once

#include "lib/types.h"

// Starts the timer interrupt, which calls do_timer, and reads the date.
void clock_init();
// stime(2): sets the date, in seconds since 1970, until the power goes off.
void set_current_time(u32 seconds);
