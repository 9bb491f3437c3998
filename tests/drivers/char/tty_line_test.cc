// The line discipline (tty.h): what is typed, shown and read.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/char/char_device.h"
#include "hal/clock.h"
#include "tests/drivers/char/terminal.h"
#include "tests/sim/scheduler.h"

namespace {

constexpr char CTRL_C = 3, CTRL_D = 4, CTRL_U = 0x15, CTRL_Z = 0x1A, CTRL_BACKSLASH = 0x1C;
constexpr size_t LINE = 2048;  // characters of a line, with its end
constexpr u32 ALL_LOCAL = abi::tty_isig | abi::tty_icanon | abi::tty_echo | abi::tty_echoe;

std::string key(char c) { return std::string(1, c); }

struct session {
  std::string typed, shown;
  std::vector<std::string> read;  // read by read; behind them a read waits
};

void expect(const session& each, u32 local = ALL_LOCAL) {
  with_terminal([&](terminal& tty) {
    tty.set_local(local);
    for (const char c : each.typed) tty.type(key(c));
    const std::string name = testing::PrintToString(each.typed);
    EXPECT_EQ(tty.shown(), each.shown) << name;
    for (const std::string& one : each.read) EXPECT_EQ(tty.read(), one) << name;
    EXPECT_TRUE(tty.would_wait()) << name;
  });
}

TEST(tty_line, editing) {
  const std::vector<session> table = {
      {"abc", "abc", {}},
      {"abc\n", "abc\r\n", {"abc\n"}},
      {"abc\r", "abc\r\n", {"abc\n"}},
      {"\n\n", "\r\n\r\n", {"\n", "\n"}},
      {"one\ntwo\nthr", "one\r\ntwo\r\nthr", {"one\n", "two\n"}},
      // erase
      {"abx\x7F\n", "abx\b \b\r\n", {"ab\n"}},
      {"abx\b\n", "abx\b \b\r\n", {"ab\n"}},
      {"\x7F\b\n", "\r\n", {"\n"}},
      {"a\x7F\x7F\x7F"
       "b\n",
       "a\b \bb\r\n",
       {"b\n"}},
      {"ab\n\x7F\x7F\n", "ab\r\n\r\n", {"ab\n", "\n"}},
      {"\x01\x7F\n", "^A\b\b  \b\b\r\n", {"\n"}},
      {"a\t\x7F\n", "a\t\b \b\r\n", {"a\n"}},
      {"\x80\xFF\x7F\n", "\x80\xFF\b \b\r\n", {"\x80\n"}},
      // kill
      {"abc\x15"
       "d\n",
       "abc\b \b\b \b\b \bd\r\n",
       {"d\n"}},
      {"a\n\x15"
       "b\n",
       "a\r\nb\r\n",
       {"a\n", "b\n"}},
      {"x\x01\x15\n", "x^A\b\b  \b\b\b \b\r\n", {"\n"}},
      // end of file
      {key(CTRL_D), "", {""}},
      {key(CTRL_D) + key(CTRL_D), "", {"", ""}},
      {"ab" + key(CTRL_D), "ab", {"ab"}},
      {"ab" + key(CTRL_D) + key(CTRL_D), "ab", {"ab", ""}},
      {"ab\n" + key(CTRL_D), "ab\r\n", {"ab\n", ""}},
      {"ab" + key(CTRL_D) + "c\x7F\x7F\n", "abc\b \b\r\n", {"ab", "\n"}},
      // the others are characters like any
      {"\x1B[A\x1F\n", "^[[A^_\r\n", {"\x1B[A\x1F\n"}},
      {std::string("a\0b\n", 4), "a^@b\r\n", {std::string("a\0b\n", 4)}},
      {"a b~\n", "a b~\r\n", {"a b~\n"}},
  };
  for (const session& each : table) expect(each);
}

TEST(tty_line, echo_can_be_off) {
  constexpr u32 silent = abi::tty_isig | abi::tty_icanon | abi::tty_echoe;
  constexpr u32 no_erasing = abi::tty_isig | abi::tty_icanon | abi::tty_echo;
  expect({"abx\x7F\x01\n" + key(CTRL_D), "", {"ab\x01\n", ""}}, silent);
  expect({"abx\x7F\x01\n", "abx^A\r\n", {"ab\x01\n"}}, no_erasing);
  with_terminal([](terminal& tty) {
    tty.set_local(silent);
    EXPECT_EQ(tty.write("x"), 1u);
    EXPECT_EQ(tty.shown(), "x") << "a program writes all the same";
  });
}

TEST(tty_line, the_special_characters_can_be_others) {
  with_terminal([](terminal& tty) {
    abi::termios t = tty.settings();
    t.cc[abi::cc_erase] = '#';
    t.cc[abi::cc_kill] = '@';
    t.cc[abi::cc_eof] = 0xFF;
    t.cc[abi::cc_intr] = '!';
    tty.set(t);
    tty.type_silently("ab#c\x7F\n");
    EXPECT_EQ(tty.read(), "ac\x7F\n");
    tty.type("\x7F#");
    EXPECT_EQ(tty.shown(), "^?\b\b  \b\b");
    tty.type("abc@d\xFF");
    EXPECT_EQ(tty.read(), "d");
    tty.type(key(CTRL_C) + key(CTRL_U) + key(CTRL_D) + "\n");
    EXPECT_EQ(tty.read(), key(CTRL_C) + key(CTRL_U) + key(CTRL_D) + "\n");
    EXPECT_TRUE(tty.signals.empty());
    EXPECT_EQ(tty.set_foreground(1), 0u);
    tty.type("!");
    EXPECT_EQ(tty.signals, (std::vector<sent_signal>{{1, abi::sigint}}));
  });
}

// POSIX, 11.1.9: a special character of 0 is switched off.
TEST(tty_line, a_special_character_can_be_none) {
  with_terminal([](terminal& tty) {
    abi::termios t = tty.settings();
    for (const u32 which :
         {abi::cc_intr, abi::cc_quit, abi::cc_susp, abi::cc_erase, abi::cc_kill, abi::cc_eof})
      t.cc[which] = 0;
    tty.set(t);
    EXPECT_EQ(tty.set_foreground(1), 0u);
    const std::string all("\0\x03\x04\x15\x1A\x1C\x7F\n", 8);
    tty.type(all);
    EXPECT_EQ(tty.read(), all);
    EXPECT_TRUE(tty.signals.empty());
  });
}

TEST(tty_line, carriage_return_stays_without_icrnl) {
  with_terminal([](terminal& tty) {
    abi::termios t = tty.settings();
    t.iflag = 0;
    tty.set(t);
    tty.type("a\rb\n");
    EXPECT_EQ(tty.shown(), "a^Mb\r\n");
    EXPECT_EQ(tty.read(), "a\rb\n");
  });
}

TEST(tty_line, a_line_of_any_length_is_read_in_pieces) {
  for (u32 size = 1; size <= 7; ++size)
    with_terminal([&](terminal& tty) {
      tty.type("abcdef\nxyz");
      tty.type(key(CTRL_D));
      std::string line, rest;
      while (!line.ends_with('\n')) line += tty.read(size);
      while (rest.size() < 3) rest += tty.read(size);
      EXPECT_EQ(line, "abcdef\n");
      EXPECT_EQ(rest, "xyz");
      EXPECT_TRUE(tty.would_wait()) << "no end of file behind a part of a line; reading " << size;
    });
}

TEST(tty_line, a_full_line_takes_its_end_and_no_more) {
  for (const size_t typed : {LINE - 2, LINE - 1, LINE, LINE + 1})
    with_terminal([&](terminal& tty) {
      for (size_t i = 0; i < typed; ++i) tty.type("x");
      const std::string kept(std::min(typed, LINE - 1), 'x');
      EXPECT_EQ(tty.shown(), kept) << "what is dropped is not shown";
      tty.type("\n");
      EXPECT_EQ(tty.shown(), "\r\n");
      if (typed >= LINE - 1) {
        tty.type("y\n" + key(CTRL_D));
        EXPECT_EQ(tty.shown(), "");
      }
      EXPECT_EQ(tty.read(), kept + "\n");
      EXPECT_TRUE(tty.would_wait());
      tty.type("z\n");
      EXPECT_EQ(tty.read(), "z\n");
    });
}

TEST(tty_line, both_terminals_type) {
  with_terminal([](terminal& tty) {
    tty.type("a");
    tty.pc.keyboard.scan_code(0x30);
    tty.pc.keyboard.scan_code(0x1C);
    EXPECT_EQ(tty.read(), "ab\n");
  });
}

TEST(tty_line, has_four_names) {
  with_terminal([](terminal& tty) {
    for (const dev_id name : {dev_id(5, 0), dev_id(5, 1), dev_id(4, 1), dev_id(4, 64)}) {
      const result<const char_device*> device = find_char_device(name);
      ASSERT_TRUE(device);
      EXPECT_EQ((*device)->write(name.minor(), std::as_bytes(std::span("hi", 2)), 0, 0), 2u);
      EXPECT_EQ(tty.shown(), "hi");
    }
  });
}

// --- signals ---

struct signal_key {
  char typed;
  const char* shown;
  u32 signal;
};
constexpr signal_key signal_keys[] = {{CTRL_C, "^C", abi::sigint},
                                      {CTRL_BACKSLASH, "^\\", abi::sigquit},
                                      {CTRL_Z, "^Z", abi::sigtstp}};

TEST(tty_signals, go_to_the_foreground_group_and_drop_what_was_typed) {
  for (const signal_key& each : signal_keys)
    for (const bool raw : {false, true})
      with_terminal([&](terminal& tty) {
        EXPECT_EQ(tty.set_foreground(7), 0u);
        tty.group = 7;
        if (raw) tty.set_raw(1, 0);
        tty.type_silently("whole\npart");
        tty.type(key(each.typed));
        EXPECT_EQ(tty.shown(), each.shown);
        EXPECT_EQ(tty.signals, (std::vector<sent_signal>{{7, each.signal}}));
        EXPECT_TRUE(tty.would_wait());
        tty.type("x\n");
        EXPECT_EQ(tty.read(), "x\n");
      });
}

TEST(tty_signals, without_a_foreground_group_none_is_sent) {
  with_terminal([](terminal& tty) {
    for (const signal_key& each : signal_keys) tty.type("a" + key(each.typed));
    EXPECT_TRUE(tty.signals.empty());
    tty.type("b\n");
    EXPECT_EQ(tty.read(), "b\n");
  });
}

TEST(tty_signals, without_isig_they_are_characters) {
  const std::string all = {'a', CTRL_C, CTRL_BACKSLASH, CTRL_Z, '\n'};
  with_terminal([&](terminal& tty) {
    EXPECT_EQ(tty.set_foreground(1), 0u);
    tty.set_local(ALL_LOCAL & ~abi::tty_isig);
    tty.type(all);
    EXPECT_EQ(tty.read(), all);
    EXPECT_TRUE(tty.signals.empty());
  });
}

TEST(tty_signals, not_shown_without_echo) {
  with_terminal([&](terminal& tty) {
    EXPECT_EQ(tty.set_foreground(1), 0u);
    tty.set_local(ALL_LOCAL & ~abi::tty_echo);
    tty.type(key(CTRL_C));
    EXPECT_EQ(tty.shown(), "");
    EXPECT_EQ(tty.signals.size(), 1u);
  });
}

}  // namespace
