// lib/format.h against the host's snprintf.
#include "lib/format.h"

#include <gtest/gtest.h>

#include <array>
#include <climits>
#include <cstdio>
#include <random>
#include <string>

namespace {

// The conversions are chosen at run time, which the compiler's checks of constant formats cannot
// follow.
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
// Nor what some of the conversions are given.
#pragma GCC diagnostic ignored "-Wformat-overflow"

template <class... Arguments>
void expect_like_snprintf(const std::string& conversion, Arguments... arguments) {
  std::array<char, 256> ours;
  std::array<char, 256> theirs;
  const size_t length = format(ours, conversion.c_str(), arguments...);
  const int expected =
      std::snprintf(theirs.data(), theirs.size(), conversion.c_str(), arguments...);
  EXPECT_STREQ(ours.data(), theirs.data()) << conversion;
  EXPECT_EQ(length, static_cast<size_t>(expected)) << conversion;
}

// %, flags in any order, width and precision, ready for a length modifier and a type.
std::string random_prefix(std::mt19937& random, const char* flags) {
  std::string prefix = "%";
  const size_t kinds = std::char_traits<char>::length(flags);
  for (u32 count = random() % 4; count > 0; --count) prefix += flags[random() % kinds];
  if (random() % 2) prefix += std::to_string(1 + random() % 25);
  if (random() % 3 == 0) prefix += "." + std::to_string(random() % 18);
  return prefix;
}

template <class Integer>
Integer random_integer(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0: return 0;
    case 1: return std::numeric_limits<Integer>::min();
    case 2: return std::numeric_limits<Integer>::max();
    case 3: return static_cast<Integer>(-1);
    default: return static_cast<Integer>(random() >> random() % 64);
  }
}

template <class Integer>
void compare_integers(const std::string& length_modifier, const char* types) {
  std::mt19937 shapes(1);
  std::mt19937_64 values(2);
  for (int i = 0; i < 4000; ++i) {
    const char type = types[shapes() % std::char_traits<char>::length(types)];
    expect_like_snprintf(random_prefix(shapes, "-0+") + length_modifier + type,
                         random_integer<Integer>(values));
  }
}

TEST(format, signed_integers) {
  compare_integers<int>("", "di");
  compare_integers<int>("h", "di");
  compare_integers<int>("hh", "di");
  compare_integers<long>("l", "di");
  compare_integers<long long>("ll", "di");
}

TEST(format, unsigned_integers) {
  compare_integers<unsigned>("", "uxXo");
  compare_integers<unsigned>("h", "uxXo");
  compare_integers<unsigned>("hh", "uxXo");
  compare_integers<unsigned long>("l", "uxXo");
  compare_integers<unsigned long long>("ll", "uxXo");
  compare_integers<size_t>("z", "uxXo");
}

TEST(format, pointers) {
  int here = 0;
  for (const char* conversion : {"%p", "%30p|", "%-30p|"})
    expect_like_snprintf(conversion, static_cast<void*>(&here));
  std::array<char, 32> to;
  format(to, "%p", static_cast<void*>(nullptr));
  EXPECT_STREQ(to.data(), "0x0");
}

// A width and a precision of several digits, and the precision without a number.
TEST(format, numbers_in_conversions) {
  for (const char* conversion :
       {"%9d|", "%10d|", "%19d|", "%100d|", "%.9d|", "%.10d|", "%.d|", "%.0d|", "%012d|", "%0-12d|",
        "%-012d|", "%+.12d|", "%0+12d|", "%+0-12d|"})
    for (const int value : {0, 7, -7, 123456789}) expect_like_snprintf(conversion, value);
  for (const char* conversion :
       {"%.9s|", "%.10s|", "%.s|", "%.0s|", "%1s|", "%-1s|", "%26s|", "%100s|"})
    expect_like_snprintf(conversion, "abcdefghijklmnopqrstuvwxyz");
  for (const char* conversion : {"%1c|", "%2c|", "%-2c|"}) expect_like_snprintf(conversion, 'x');
  expect_like_snprintf("%*s|%-*s|%.*s|%.*d|", 5, "ab", -5, "cd", -1, "efg", -1, 0);
  expect_like_snprintf("%*d|%*d|", 0, 5, -1, 5);
}

// A flag that means nothing for a conversion changes nothing (its text is as without it).
TEST(format, flags_of_other_conversions) {
  const auto as = [](const std::string& conversion, auto argument) {
    std::array<char, 64> to;
    format(to, conversion.c_str(), argument);
    return std::string(to.data());
  };
  for (const char* type : {"u", "x", "X", "o"})
    EXPECT_EQ(as(std::string("%+5") + type, 7u), "    7") << type;
  EXPECT_EQ(as("%05s", "ab"), "   ab");
  EXPECT_EQ(as("%05c", 'c'), "    c");
}

TEST(format, plus_sign) {
  for (int value : {0, 1, -1, INT_MAX, INT_MIN}) {
    expect_like_snprintf("%+d", value);
    expect_like_snprintf("%+08d", value);
    expect_like_snprintf("%-+12d|", value);
  }
}

TEST(format, strings_and_characters) {
  std::mt19937 random(3);
  const std::string text = "The quick brown fox";
  for (int i = 0; i < 500; ++i) {
    const std::string part = text.substr(0, random() % text.size());
    expect_like_snprintf(random_prefix(random, "-") + "s|", part.c_str());
  }
  expect_like_snprintf("%c%5c%-5c|", 'a', 'b', 'c');
}

TEST(format, a_string_with_a_precision_needs_no_end) {
  const std::array<char, 3> name = {'a', 'b', 'c'};
  std::array<char, 16> to;
  format(to, "%.3s|%.*s", name.data(), 2, name.data());
  EXPECT_STREQ(to.data(), "abc|ab");
}

TEST(format, width_and_precision_from_arguments) {
  expect_like_snprintf("%*d|", 8, 42);
  expect_like_snprintf("%*d|", -8, 42);
  expect_like_snprintf("%.*d|", 5, 42);
  expect_like_snprintf("%-*.*x|", 9, 4, 0xABCu);
}

TEST(format, mixed_text) {
  expect_like_snprintf("100%% of %s, %u blocks at 0x%08x: %d:%02d left", "BACKUP", 37u, 0xBEEFu, 4,
                       8);
}

TEST(format, null_string) {
  std::array<char, 16> to;
  const char* nothing = nullptr;
  format(to, "%s", nothing);
  EXPECT_STREQ(to.data(), "(null)");
}

TEST(format, unknown_conversions_are_printed_as_they_stand) {
  std::array<char, 16> to;
  const std::string odd = "%y %";
  format(to, odd.c_str());
  EXPECT_STREQ(to.data(), "%y %");
}

TEST(format, cuts_at_every_length) {
  const std::string whole = "7 -42  blocks|0x00ff";
  for (size_t size = 0; size <= whole.size() + 3; ++size) {
    std::array<char, 32> to;
    to.fill('#');
    const size_t length =
        format(std::span(to).first(size), "%u %d %7s|0x%04x", 7u, -42, "blocks", 255u);
    EXPECT_EQ(length, whole.size());
    const size_t kept = size == 0 ? 0 : std::min(size - 1, whole.size());
    std::string expected = whole.substr(0, kept) + (size == 0 ? "" : std::string(1, '\0'));
    expected.resize(to.size(), '#');
    EXPECT_EQ(std::string(to.data(), to.size()), expected) << size;
  }
}

TEST(format, cuts_and_tells_the_whole_length) {
  std::array<char, 5> small = {'#', '#', '#', '#', '#'};
  EXPECT_EQ(format(std::span(small).first(4), "%s", "abcdefgh"), 8u);
  EXPECT_STREQ(small.data(), "abc");
  EXPECT_EQ(small[4], '#') << "wrote past the end";
  EXPECT_EQ(format({}, "%d", 1234), 4u);
}

TEST(text_sink, tells_how_much_fits) {
  for (size_t size = 0; size <= 10; ++size) {
    std::array<char, 10> room;
    room.fill('#');
    text_sink sink{std::span(room).first(size)};
    std::string expected;
    for (const char* piece : {"a", "", "bcd", "efgh", "i", "j"}) {
      sink.print("%s", piece);
      expected += piece;
      if (size > 0) expected.resize(std::min(expected.size(), size - 1));
      if (size == 0) expected.clear();
      EXPECT_EQ(sink.text(), expected) << size;
      EXPECT_EQ(sink.room(), size == 0 ? 0 : size - 1 - expected.size()) << size;
    }
    for (size_t i = size; i < room.size(); ++i) EXPECT_EQ(room[i], '#') << "written past the end";
  }
}

TEST(text_sink, grows_and_never_overruns) {
  std::array<char, 8> room;
  text_sink sink(room);
  EXPECT_EQ(sink.text(), "");
  sink.print("%d-", 12);
  sink.print("%s", "ab");
  EXPECT_EQ(sink.text(), "12-ab");
  sink.print("%s", "cdefgh");
  EXPECT_EQ(sink.text(), "12-abcd");
  sink.print("more");
  EXPECT_EQ(sink.text(), "12-abcd");
}

}  // namespace
