// Clocks and calendar. There is one time zone: UTC.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

using clockid_t = int;
constexpr clockid_t CLOCK_REALTIME = abi::clock_realtime, CLOCK_MONOTONIC = abi::clock_monotonic;

struct timespec {
  time_t tv_sec;
  int32_t tv_nsec;
};

struct tm {
  int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday;
};

extern "C" {
time_t time(time_t* to);
int stime(const time_t* from);
int clock_gettime(clockid_t clock, struct timespec* to);
int nanosleep(const struct timespec* how_long, struct timespec* left);
struct tm* gmtime(const time_t* when);
struct tm* localtime(const time_t* when);
// Knows %Y %m %d %H %M %S %y %e %j %a %b %s %F %T %n %%.
size_t strftime(char* to, size_t size, const char* format, const struct tm* when);
}
