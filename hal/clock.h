// The time.
#pragma once

#include "lib/time.h"

// Time since boot; never goes backwards. Never sleeps; callable from interrupt handlers.
instant now();

// Seconds since 1970 (the book's CURRENT_TIME), for time stamps on disk.
u32 current_time();
