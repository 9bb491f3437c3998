// strong_id: a number that cannot be mistaken for another kind of number.
//
// Two ids compare and sort; an id moves by a plain count, and two ids differ by a plain count.
// There is no implicit way in or out: `block_nr{7}`, `nr.value()`.
#pragma once

#include <compare>

template <class Tag, class Rep>
class strong_id {
 public:
  using rep = Rep;

  constexpr strong_id() = default;
  constexpr explicit strong_id(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  constexpr auto operator<=>(const strong_id&) const = default;

  constexpr strong_id operator+(Rep count) const { return strong_id(value_ + count); }
  constexpr strong_id operator-(Rep count) const { return strong_id(value_ - count); }
  constexpr Rep operator-(strong_id other) const { return value_ - other.value_; }
  constexpr strong_id& operator++() {
    ++value_;
    return *this;
  }

 private:
  Rep value_{};
};
