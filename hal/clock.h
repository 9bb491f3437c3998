// The time.
#pragma once

#include "lib/time.h"

// Time since boot; never goes backwards. Never sleeps; callable from interrupt handlers.
instant now();

// The date when now() was 0, in seconds since 1970. stime(2) moves it. The date is this plus now():
// one reading of one clock.
u32 boot_date();

// The date in seconds since 1970 (the book's CURRENT_TIME), for time stamps on disk. It costs less
// than now(), and is at most one tick of the timer late.
u32 current_time();

// For stime(2): the date when now() was 0, in seconds since 1970, until the power goes off.
void set_boot_date(u32 seconds);
