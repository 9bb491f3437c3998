// Numbers, sorting, the end.
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace {

int digit_value(char c) {
  if (isdigit(c)) return c - '0';
  if (isalpha(c)) return tolower(c) - 'a' + 10;
  return 99;
}

void swap_bytes(char* a, char* b, size_t size) {
  for (; size > 0; --size, ++a, ++b) {
    const char kept = *a;
    *a = *b;
    *b = kept;
  }
}

unsigned random_state = 1;

}  // namespace

unsigned long strtoul(const char* s, char** end, int base) {
  const char* at = s;
  while (isspace(*at)) ++at;
  const bool negative = *at == '-';
  if (*at == '-' || *at == '+') ++at;
  if ((base == 0 || base == 16) && at[0] == '0' && tolower(at[1]) == 'x' && digit_value(at[2]) < 16)
    at += 2, base = 16;
  if (base == 0) base = *at == '0' ? 8 : 10;
  unsigned long value = 0;
  bool any = false, too_large = false;
  for (; digit_value(*at) < base; ++at, any = true) {
    const auto digit = static_cast<unsigned long>(digit_value(*at));
    too_large |= __builtin_mul_overflow(value, static_cast<unsigned long>(base), &value);
    too_large |= __builtin_add_overflow(value, digit, &value);
  }
  if (end) *end = const_cast<char*>(any ? at : s);
  if (too_large) {
    errno = ERANGE;
    return ULONG_MAX;
  }
  return negative ? 0 - value : value;
}

long strtol(const char* s, char** end, int base) {
  const char* at = s;
  while (isspace(*at)) ++at;
  const bool negative = *at == '-';
  const unsigned long value = strtoul(s, end, base);
  const unsigned long magnitude = negative ? 0 - value : value;
  if (magnitude > static_cast<unsigned long>(LONG_MAX) + negative) {
    errno = ERANGE;
    return negative ? LONG_MIN : LONG_MAX;
  }
  return static_cast<long>(value);
}

int atoi(const char* s) { return static_cast<int>(strtol(s, nullptr, 10)); }
int abs(int value) { return value < 0 ? -value : value; }

void srand(unsigned seed) { random_state = seed; }
int rand() {
  random_state = random_state * 1103515245 + 12345;
  return static_cast<int>(random_state >> 1);
}

// Heapsort: as good in the worst case as in the best, in place, and short.
void qsort(void* base, size_t count, size_t size, int (*compare)(const void*, const void*)) {
  char* const items = static_cast<char*>(base);
  const auto item = [&](size_t n) { return items + n * size; };
  const auto sift_down = [&](size_t root, size_t limit) {
    for (size_t child; (child = 2 * root + 1) < limit; root = child) {
      if (child + 1 < limit && compare(item(child), item(child + 1)) < 0) ++child;
      if (compare(item(root), item(child)) >= 0) return;
      swap_bytes(item(root), item(child), size);
    }
  };
  for (size_t root = count / 2; root-- > 0;) sift_down(root, count);
  for (size_t limit = count; limit-- > 1;) {
    swap_bytes(item(0), item(limit), size);
    sift_down(0, limit);
  }
}

void exit(int status) {
  fflush(nullptr);
  _exit(status);
}

void abort() {
  signal(SIGABRT, SIG_DFL);
  raise(SIGABRT);
  _exit(127);
}

void assertion_failed(const char* what, const char* file, int line) {
  fprintf(stderr, "%s:%d: this should hold: %s\n", file, line, what);
  abort();
}
