// The calendar: seconds since 1970 to year, month and day, and to text.
#include <stdio.h>
#include <string.h>
#include <time.h>

namespace {

constexpr int SECONDS_A_DAY = 86400;
constexpr const char* DAYS = "SunMonTueWedThuFriSat";
constexpr const char* MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }
int days_in_year(int year) { return is_leap(year) ? 366 : 365; }
int days_in_month(int month, int year) {
  constexpr char DAYS_IN_MONTH[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return DAYS_IN_MONTH[month] + (month == 1 && is_leap(year));
}

time_t seconds_since_1970(const struct tm& when) {
  int days = when.tm_yday;
  for (int year = 1970; year < when.tm_year + 1900; ++year) days += days_in_year(year);
  return ((days * 24 + when.tm_hour) * 60 + when.tm_min) * 60 + when.tm_sec;
}

int put_field(char* to, size_t size, char field, const struct tm& when) {
  switch (field) {
    case 'Y': return snprintf(to, size, "%d", when.tm_year + 1900);
    case 'y': return snprintf(to, size, "%02d", when.tm_year % 100);
    case 'm': return snprintf(to, size, "%02d", when.tm_mon + 1);
    case 'd': return snprintf(to, size, "%02d", when.tm_mday);
    case 'e': return snprintf(to, size, "%2d", when.tm_mday);
    case 'j': return snprintf(to, size, "%03d", when.tm_yday + 1);
    case 'H': return snprintf(to, size, "%02d", when.tm_hour);
    case 'M': return snprintf(to, size, "%02d", when.tm_min);
    case 'S': return snprintf(to, size, "%02d", when.tm_sec);
    case 'a': return snprintf(to, size, "%.3s", DAYS + 3 * when.tm_wday);
    case 'b': return snprintf(to, size, "%.3s", MONTHS + 3 * when.tm_mon);
    case 's': return snprintf(to, size, "%d", seconds_since_1970(when));
    case 'F':
      return snprintf(to, size, "%d-%02d-%02d", when.tm_year + 1900, when.tm_mon + 1, when.tm_mday);
    case 'T': return snprintf(to, size, "%02d:%02d:%02d", when.tm_hour, when.tm_min, when.tm_sec);
    case 'Z': return snprintf(to, size, "UTC");
    case 'n': return snprintf(to, size, "\n");
    case '%': return snprintf(to, size, "%%");
    default: return snprintf(to, size, "%%%c", field);
  }
}

}  // namespace

struct tm* gmtime(const time_t* when) {
  static struct tm result;
  int days = *when / SECONDS_A_DAY, rest = *when % SECONDS_A_DAY;
  if (rest < 0) --days, rest += SECONDS_A_DAY;
  int year = 1970, month = 0;
  const int weekday = ((days + 4) % 7 + 7) % 7;  // the first day was a Thursday
  while (days < 0) days += days_in_year(--year);
  while (days >= days_in_year(year)) days -= days_in_year(year++);
  const int day_of_year = days;
  while (days >= days_in_month(month, year)) days -= days_in_month(month++, year);
  result = {rest % 60, rest / 60 % 60, rest / 3600, days + 1,
            month,     year - 1900,    weekday,     day_of_year};
  return &result;
}

struct tm* localtime(const time_t* when) {
  return gmtime(when);
}

size_t strftime(char* to, size_t size, const char* format, const struct tm* when) {
  size_t length = 0;
  for (; *format; ++format) {
    if (length + 1 >= size) return 0;
    if (*format != '%' || !format[1])
      to[length++] = *format;
    else
      length += static_cast<size_t>(put_field(to + length, size - length, *++format, *when));
  }
  if (length >= size) return 0;
  to[length] = '\0';
  return length;
}
