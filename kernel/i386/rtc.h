// The battery-backed clock (MC146818), which the book's time_init reads.
#pragma once

#include "lib/types.h"

// Its date, taken as universal time, in seconds since 1970.
u32 read_rtc();
