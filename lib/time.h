// Time as the kernel counts it: nanoseconds since boot. A deadline is an instant.
#pragma once

#include <compare>

#include "lib/types.h"

struct duration {
  i64 ns = 0;
  constexpr auto operator<=>(const duration&) const = default;
  constexpr duration operator+(duration d) const { return {ns + d.ns}; }
  constexpr duration operator-(duration d) const { return {ns - d.ns}; }
  constexpr i64 seconds() const { return ns / 1'000'000'000; }
  constexpr i64 milliseconds() const { return ns / 1'000'000; }
};

constexpr duration operator""_s(unsigned long long n) {
  return {static_cast<i64>(n) * 1'000'000'000};
}
constexpr duration operator""_ms(unsigned long long n) { return {static_cast<i64>(n) * 1'000'000}; }
constexpr duration operator""_us(unsigned long long n) { return {static_cast<i64>(n) * 1'000}; }
constexpr duration seconds(i64 n) { return {n * 1'000'000'000}; }

struct instant {
  i64 ns = 0;
  constexpr auto operator<=>(const instant&) const = default;
  constexpr instant operator+(duration d) const { return {ns + d.ns}; }
  constexpr duration operator-(instant t) const { return {ns - t.ns}; }
};

// No deadline: for a wait that something else ends for certain.
constexpr instant never{INT64_MAX};
