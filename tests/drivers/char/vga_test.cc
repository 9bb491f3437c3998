// The text screen (vga.h): what characters, control characters and escape sequences leave on it, as
// on a VT102.
#include "drivers/char/vga.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "hal/text_screen.h"
#include "tests/sim/pc_ports.h"

namespace {

struct place {
  u32 row, column;
  bool operator==(const place&) const = default;
};
std::ostream& operator<<(std::ostream& out, place at) { return out << at.row << ',' << at.column; }

using rows = std::map<u32, std::string>;  // those that are not blank, without the spaces at the end

class screen_under_test {
 public:
  screen_under_test() {
    std::ranges::fill(text_screen(), u16{0xFF58});
    screen_.init();
  }
  void write(std::string_view text) {
    for (const char c : text) screen_.put(c);
    screen_.show_cursor();
  }
  place cursor() const { return {pc_.cursor() / screen_columns, pc_.cursor() % screen_columns}; }
  static char character(u32 row, u32 column) {
    return static_cast<char>(text_screen()[row * screen_columns + column] & 0xFF);
  }
  static u8 colours(u32 row, u32 column) {
    return static_cast<u8>(text_screen()[row * screen_columns + column] >> 8);
  }
  static rows shown() {
    rows all;
    for (u32 row = 0; row < screen_rows; ++row) {
      std::string text;
      for (u32 column = 0; column < screen_columns; ++column) text += character(row, column);
      text.erase(text.find_last_not_of(' ') + 1);
      if (!text.empty()) all[row] = text;
    }
    return all;
  }

 private:
  sim::pc_ports pc_;
  vga_screen screen_;
};

struct expectation {
  std::string written;
  rows shown;
  place cursor;
};

void expect(const std::vector<expectation>& table) {
  for (const expectation& each : table) {
    screen_under_test screen;
    screen.write(each.written);
    EXPECT_EQ(screen.shown(), each.shown) << testing::PrintToString(each.written);
    EXPECT_EQ(screen.cursor(), each.cursor) << testing::PrintToString(each.written);
  }
}

std::string xs(size_t count) { return std::string(count, 'x'); }
std::string at(u32 row, u32 column) {  // counted from 0
  return "\033[" + std::to_string(row + 1) + ";" + std::to_string(column + 1) + "H";
}

TEST(vga, begins_blank_and_grey) {
  screen_under_test screen;
  EXPECT_EQ(screen.shown(), rows{});
  EXPECT_EQ(screen.cursor(), (place{0, 0}));
  for (const u16 cell : text_screen()) ASSERT_EQ(cell, 0x0720);
}

TEST(vga, every_printable_character_stands_as_it_is) {
  for (u32 code = 0; code < 256; ++code) {
    if (code < 32 || code == 127) continue;
    screen_under_test screen;
    screen.write(std::string(1, static_cast<char>(code)));
    EXPECT_EQ(text_screen()[0], 0x0700 | code);
    EXPECT_EQ(screen.cursor(), (place{0, 1}));
  }
}

TEST(vga, control_characters_that_it_does_not_know_show_nothing) {
  for (u32 code = 0; code < 128; ++code) {
    if ((code >= 32 && code != 127) ||
        std::string_view("\n\r\b\t\033").contains(static_cast<char>(code)))
      continue;
    screen_under_test screen;
    screen.write("a" + std::string(1, static_cast<char>(code)) + "b");
    EXPECT_EQ(screen.shown(), (rows{{0, "ab"}})) << code;
  }
}

TEST(vga, ends_of_lines) {
  expect({
      {"ab\ncd", {{0, "ab"}, {1, "  cd"}}, {1, 4}},
      {"ab\rc", {{0, "cb"}}, {0, 1}},
      {"ab\r\ncd", {{0, "ab"}, {1, "cd"}}, {1, 2}},
      {xs(79), {{0, xs(79)}}, {0, 79}},
      {xs(80), {{0, xs(80)}}, {0, 79}},  // wraps when another character comes
      {xs(80) + "y", {{0, xs(80)}, {1, "y"}}, {1, 1}},
      {xs(80) + "\r\ny", {{0, xs(80)}, {1, "y"}}, {1, 1}},
      {xs(80) + "\ry", {{0, "y" + xs(79)}}, {0, 1}},
      {xs(160) + "y", {{0, xs(80)}, {1, xs(80)}, {2, "y"}}, {2, 1}},
      {at(24, 0) + xs(80), {{24, xs(80)}}, {24, 79}},
      {at(24, 0) + xs(80) + "y", {{23, xs(80)}, {24, "y"}}, {24, 1}},
  });
}

TEST(vga, backspace_and_tab) {
  expect({
      {"\bx", {{0, "x"}}, {0, 1}},
      {"ab\bc", {{0, "ac"}}, {0, 2}},
      {"ab\b\b\bc", {{0, "cb"}}, {0, 1}},
      {"a\bc", {{0, "c"}}, {0, 1}},
      {"\tx", {{0, "        x"}}, {0, 9}},
      {"1234567\tx", {{0, "1234567 x"}}, {0, 9}},
      {"12345678\tx", {{0, "12345678        x"}}, {0, 17}},
      {at(3, 71) + "\t", {}, {3, 72}},
      {at(3, 72) + "\t", {}, {3, 79}},
      {at(3, 72) + "\tx", {{3, std::string(79, ' ') + "x"}}, {3, 79}},
      {at(3, 79) + "\t", {}, {3, 79}},
      {xs(80) + "\t", {{0, xs(80)}}, {0, 79}},
      // What the terminal's erasing writes takes off the last character of a full line, too.
      {xs(80) + "\b \b", {{0, xs(79)}}, {0, 79}},
  });
}

TEST(vga, scrolls_at_the_last_line_only) {
  std::string lines;
  for (char line = 'a'; line < 'a' + 24; ++line) lines += std::string(1, line) + "\r\n";
  screen_under_test screen;
  screen.write(lines);
  EXPECT_EQ(screen.shown().size(), 24u);
  EXPECT_EQ(screen.shown()[0], "a");
  EXPECT_EQ(screen.cursor(), (place{24, 0}));
  screen.write("y\033[44m\r\nz");
  EXPECT_EQ(screen.shown()[0], "b");
  EXPECT_EQ(screen.shown()[22], "x");
  EXPECT_EQ(screen.shown()[23], "y");
  EXPECT_EQ(screen.shown()[24], "z");
  EXPECT_EQ(screen.cursor(), (place{24, 1}));
  EXPECT_EQ(screen.colours(24, 0), 0x17);
  EXPECT_EQ(screen.colours(24, 1), 0x07) << "a new line has no colour";
}

TEST(vga, the_cursor_moves_and_stops_at_the_edges) {
  const std::string middle = at(10, 40);
  expect({
      {middle, {}, {10, 40}},
      {middle + "\033[A", {}, {9, 40}},
      {middle + "\033[0A", {}, {9, 40}},
      {middle + "\033[1A", {}, {9, 40}},
      {middle + "\033[3A", {}, {7, 40}},
      {middle + "\033[99A", {}, {0, 40}},
      {middle + "\033[B", {}, {11, 40}},
      {middle + "\033[4B", {}, {14, 40}},
      {middle + "\033[14B", {}, {24, 40}},
      {middle + "\033[99B", {}, {24, 40}},
      {middle + "\033[C", {}, {10, 41}},
      {middle + "\033[12C", {}, {10, 52}},
      {middle + "\033[39C", {}, {10, 79}},
      {middle + "\033[9999999999C", {}, {10, 79}},
      {middle + "\033[D", {}, {10, 39}},
      {middle + "\033[40D", {}, {10, 0}},
      {middle + "\033[41D", {}, {10, 0}},
      {middle + "\033[G", {}, {10, 0}},
      {middle + "\033[7G", {}, {10, 6}},
      {middle + "\033[200G", {}, {10, 79}},
      {middle + "\033[d", {}, {0, 40}},
      {middle + "\033[7d", {}, {6, 40}},
      {middle + "\033[200d", {}, {24, 40}},
      {middle + "\033[H", {}, {0, 0}},
      {middle + "\033[5H", {}, {4, 0}},
      {middle + "\033[;5H", {}, {0, 4}},
      {middle + "\033[25;80f", {}, {24, 79}},
      {middle + "\033[26;81f", {}, {24, 79}},
      {middle + "\033[99Cx", {{10, std::string(79, ' ') + "x"}}, {10, 79}},
      {middle + "\033[99Bx", {{24, std::string(40, ' ') + "x"}}, {24, 41}},
      {middle + "\033D", {}, {11, 40}},
      {middle + "\033E", {}, {11, 0}},
      {middle + "\0337\033[H\0338", {}, {10, 40}},
      {"\0337" + middle + "\0338", {}, {0, 0}},
      {middle + "\0338", {}, {0, 0}},
      {at(24, 9) + "a\033Eb", {{23, "         a"}, {24, "b"}}, {24, 1}},
      {at(24, 9) + "a\033Db", {{23, "         a"}, {24, "          b"}}, {24, 11}},
  });
}

TEST(vga, sequences_it_does_not_know_show_nothing) {
  expect({
      {"a\033[?25lb", {{0, "ab"}}, {0, 2}},
      {"a\033[?2Jb", {{0, "ab"}}, {0, 2}},  // a private sequence is another one
      {"a\033[?2J\033[Db", {{0, "b"}}, {0, 1}},
      {"a\033[5nb", {{0, "ab"}}, {0, 2}},
      {"a\033[3J\033[3Kb", {{0, "ab"}}, {0, 2}},
      {"a\033=b", {{0, "ab"}}, {0, 2}},
      {"a\033[ qb", {{0, "ab"}}, {0, 2}},
      {"a\033[\033[Db", {{0, "b"}}, {0, 1}},    // the second one begins anew
      {"abc\033[2\bDd", {{0, "dbc"}}, {0, 1}},  // a control character inside of one works
      {"a\033[2~b\033[1zc\033[1{d", {{0, "abcd"}}, {0, 4}},
  });
}

// What a sequence has said is over with it: one that does nothing, or is cut off by another one,
// changes nothing of the next.
TEST(vga, a_sequence_does_not_know_the_one_before) {
  const std::string text = "one\r\ntwo two two\r\nthree" + at(1, 4);
  for (const char* before :
       {"\033[?25l", "\033[?2;2;2h", "\033[2;2z", "\033[2;2", "\033[2\033[?2z", "\033"})
    for (const std::string command : {"K", "J", "A", "B", "C", "D", "G", "d", "H", "P", "@", "m"}) {
      const auto after = [&](const std::string& sequences) {
        screen_under_test screen;
        screen.write(text + sequences + "y");
        return std::tuple(screen.shown(), screen.cursor(), screen.colours(1, 4));
      };
      const std::string sequence = "\033[" + command;
      EXPECT_EQ(after(before + sequence), after(sequence))
          << testing::PrintToString(before + sequence);
    }
}

TEST(vga, a_sequence_knows_four_parameters) {
  expect({{"\033[2;3;4;5H", {}, {1, 2}}, {"\033[2;3;4;5;6;7H", {}, {1, 2}}});
  screen_under_test screen;
  screen.write(
      "\033[;;;31ma\033[0m\033[;;;;32mb\033[0m\033[0;0;0;3;1mc\033[0;0;31md\033[0;;;1;31me");
  EXPECT_EQ(screen.colours(0, 0), 0x04);
  EXPECT_EQ(screen.colours(0, 1), 0x07) << "the fifth is left out";
  EXPECT_EQ(screen.colours(0, 2), 0x07) << "its digits do not go to the fourth";
  EXPECT_EQ(screen.colours(0, 3), 0x04);
  EXPECT_EQ(screen.colours(0, 4), 0x0F);
}

// Three lines of ten characters around the cursor, which stands on the fifth of the second.
TEST(vga, erases) {
  const std::string begun = "0123456789\r\n0123456789\r\n0123456789" + at(1, 4);
  const std::string line = "0123456789";
  const place same = {1, 4};
  expect({
      {begun + "\033[J", {{0, line}, {1, "0123"}}, same},
      {begun + "\033[0J", {{0, line}, {1, "0123"}}, same},
      {begun + "\033[1J", {{1, "     56789"}, {2, line}}, same},
      {begun + "\033[2J", {}, same},
      {begun + "\033[K", {{0, line}, {1, "0123"}, {2, line}}, same},
      {begun + "\033[1K", {{0, line}, {1, "     56789"}, {2, line}}, same},
      {begun + "\033[2K", {{0, line}, {2, line}}, same},
      {begun + "\033[P", {{0, line}, {1, "012356789"}, {2, line}}, same},
      {begun + "\033[3P", {{0, line}, {1, "0123789"}, {2, line}}, same},
      {begun + "\033[500P", {{0, line}, {1, "0123"}, {2, line}}, same},
      {begun + "\033[@", {{0, line}, {1, "0123 456789"}, {2, line}}, same},
      {begun + "\033[3@", {{0, line}, {1, "0123   456789"}, {2, line}}, same},
      {begun + "\033[500@", {{0, line}, {1, "0123"}, {2, line}}, same},
      {begun + "\033c", {}, {0, 0}},
  });
}

// On a full line the cursor stands on the last character.
TEST(vga, erases_at_the_edges_of_the_screen) {
  const std::string full = at(1, 0) + "y" + at(0, 0) + xs(80);
  const std::string whole = at(0, 0) + xs(24 * 80) + xs(80);
  rows all_but_last;
  for (u32 row = 0; row < 24; ++row) all_but_last[row] = xs(80);
  rows one_less = all_but_last;
  one_less[24] = xs(79);
  expect({
      {full + "\033[J", {{0, xs(79)}}, {0, 79}},
      {full + "\033[1J", {{1, "y"}}, {0, 79}},
      {full + "\033[K", {{0, xs(79)}, {1, "y"}}, {0, 79}},
      {full + "\033[1K", {{1, "y"}}, {0, 79}},
      {full + "\033[P", {{0, xs(79)}, {1, "y"}}, {0, 79}},
      {full + "\033[@", {{0, xs(79)}, {1, "y"}}, {0, 79}},
      {whole + "\033[J", one_less, {24, 79}},
      {whole + "\033[K", one_less, {24, 79}},
      {whole + "\033[1J", {}, {24, 79}},
      {whole + "\033[2K", all_but_last, {24, 79}},
      {xs(80) + at(0, 0) + "\033[2@", {{0, "  " + xs(78)}}, {0, 0}},
      {xs(79) + "y" + at(0, 0) + "\033[79P", {{0, "y"}}, {0, 0}},
  });
}

TEST(vga, attributes) {
  // The screen's numbers of black, red, green, yellow, blue, magenta, cyan and white.
  const std::array<u8, 8> numbers = {0, 4, 2, 6, 1, 5, 3, 7};
  struct row {
    std::string sequence;
    u8 colours;
  };
  std::vector<row> table = {
      {"", 0x07},
      {"\033[m", 0x07},
      {"\033[1m", 0x0F},
      {"\033[1;0m", 0x07},
      {"\033[1m\033[m", 0x07},
      {"\033[7m", 0x70},
      {"\033[1;7m", 0x78},
      {"\033[30;1m", 0x08},
      {"\033[32;44;7m", 0x21},
      {"\033[1;33m", 0x0E},
      {"\033[33;1m", 0x0E},
      {"\033[31;42;1m", 0x2C},
      {"\033[38m", 0x07},
      {"\033[29m", 0x07},
      {"\033[39m", 0x07},
      {"\033[48m", 0x07},
      {"\033[2m", 0x07},
      {"\033[6m", 0x07},
      {"\033[8m", 0x07},
      {"\033[31m\033c", 0x07},
      {"\033[41m\033[30m", 0x40},
      {"\033[30m\033[41m", 0x40},
      {"\033[47m\033[40m", 0x07},
      {"\033[37;47;7m", 0x77},
      {"\033[35;42;7m", 0x52},
  };
  for (const char* other : {"29", "38", "39", "48", "28", "3"})
    table.push_back({"\033[31;42m\033[" + std::string(other) + "m", 0x24});
  for (u32 i = 0; i < 8; ++i) {
    table.push_back({"\033[3" + std::to_string(i) + "m", numbers[i]});
    table.push_back({"\033[4" + std::to_string(i) + "m", static_cast<u8>(numbers[i] << 4 | 7)});
  }
  for (const row& each : table) {
    screen_under_test screen;
    screen.write(each.sequence + "x");
    EXPECT_EQ(u32{screen.colours(0, 0)}, u32{each.colours})
        << testing::PrintToString(each.sequence);
  }
}

// What is erased is grey on black, and what moves keeps its colours.
TEST(vga, colours_of_what_is_erased_and_moved) {
  for (const char* sequence : {"J", "1J", "2J", "K", "1K", "2K", "P", "@", "500P", "500@"}) {
    screen_under_test screen;
    screen.write("\033[41m" + xs(80) + at(0, 79) + "\033[" + sequence);
    EXPECT_EQ(screen.colours(0, 79), 0x07) << sequence;
  }
  screen_under_test screen;
  screen.write("a\033[41mb\033[m" + at(0, 0) + "\033[@");
  EXPECT_EQ(screen.colours(0, 2), 0x47);
  screen.write("\033[2P");
  EXPECT_EQ(screen.colours(0, 0), 0x47);
  EXPECT_EQ(screen.shown(), (rows{{0, "b"}}));
}

}  // namespace
