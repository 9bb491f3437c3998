// The battery-backed clock (MC146818), the book's CMOS time.
#pragma once

#include "lib/types.h"

// Its date, taken as universal time, in seconds since 1970.
u32 read_rtc();
