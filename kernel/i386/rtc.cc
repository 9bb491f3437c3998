#include "kernel/i386/rtc.h"

#include "hal/port_io.h"
#include "lib/bits.h"

namespace {

constexpr io_port rtc_index = 0x70, rtc_data = 0x71;
constexpr u8 reg_seconds = 0, reg_minutes = 2, reg_hours = 4, reg_day = 7, reg_month = 8,
             reg_year = 9, reg_status_a = 10, reg_status_b = 11;
using update_in_progress = field<7, 7, u8>;
using binary_format = field<2, 2, u8>;

struct date {
  u32 seconds, minutes, hours, day, month, year;
  bool operator==(const date&) const = default;
};

u8 read_register(u8 index) {
  out8(rtc_index, index);
  return in8(rtc_data);
}

u32 read_number(u8 index, bool binary) {
  const u32 value = read_register(index);
  return binary ? value : (value >> 4) * 10 + (value & 15);
}

date read_date() {
  const bool binary = binary_format::in(read_register(reg_status_b));
  return {read_number(reg_seconds, binary), read_number(reg_minutes, binary),
          read_number(reg_hours, binary),   read_number(reg_day, binary),
          read_number(reg_month, binary),   2000 + read_number(reg_year, binary)};
}

// Reads until two readings outside an update are equal; after many unequal ones it takes the last.
date read_stable_date() {
  date last = read_date();
  for (int tries = 0; tries < 1000; ++tries) {
    if (update_in_progress::in(read_register(reg_status_a))) continue;
    const date again = read_date();
    if (again == last) break;
    last = again;
  }
  return last;
}

// Days since 1970 of a date of the Gregorian calendar: years are counted from March, so that the
// leap day comes last.
u32 days_since_1970(u32 year, u32 month, u32 day) {
  const u32 y = month > 2 ? year : year - 1;
  const u32 months_from_march = (month + 9) % 12;
  const u32 day_of_year = (153 * months_from_march + 2) / 5 + day - 1;
  return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719'468;
}

}  // namespace

u32 read_rtc() {
  const date d = read_stable_date();
  return ((days_since_1970(d.year, d.month, d.day) * 24 + d.hours) * 60 + d.minutes) * 60 +
         d.seconds;
}
