// The keyboard (keyboard.h) over a simulated 8042: scan codes of set 1 become a US keyboard's
// characters.
#include "drivers/char/keyboard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hal/clock.h"
#include "hal/irq.h"
#include "tests/sim/irq.h"
#include "tests/sim/pc_ports.h"
#include "tests/sim/scheduler.h"

namespace {

using sim::keyboard_controller;

constexpr u8 LINE = 1;
constexpr u8 CTRL = 0x1D, LEFT_SHIFT = 0x2A, RIGHT_SHIFT = 0x36, ALT = 0x38, CAPS_LOCK = 0x3A;
constexpr u8 RELEASED = 0x80, EXTENDED = 0xE0;

std::string typed;

std::string take_typed() { return std::exchange(typed, {}); }

void with_keyboard(const std::function<void(keyboard_controller&)>& body) {
  typed.clear();
  sim::pc_ports pc;
  sim::run(1, [&] {
    set_keyboard_input([](char c) { typed += c; });
    body(pc.keyboard);
  });
}

void press(keyboard_controller& keyboard, std::initializer_list<int> codes) {
  for (const int code : codes) keyboard.scan_code(static_cast<u8>(code));
}

std::string typed_by(keyboard_controller& keyboard, std::initializer_list<int> codes) {
  press(keyboard, codes);
  return take_typed();
}

// --- the layout ---

struct key {
  u8 code;
  char plain, shifted;
};

void add_row(std::vector<key>& keys, u8 first, std::string_view plain, std::string_view shifted) {
  for (size_t i = 0; i < plain.size(); ++i)
    keys.push_back({static_cast<u8>(first + i), plain[i], shifted[i]});
}

// A US keyboard, row by row; Escape, Backspace, Tab, Enter and Space.
std::vector<key> us_keys() {
  std::vector<key> keys;
  add_row(keys, 0x01, "\033", "\033");
  add_row(keys, 0x02, "1234567890-=\x7F\t", "!@#$%^&*()_+\x7F\t");
  add_row(keys, 0x10, "qwertyuiop[]\r", "QWERTYUIOP{}\r");
  add_row(keys, 0x1E, "asdfghjkl;'`", "ASDFGHJKL:\"~");
  add_row(keys, 0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?");
  add_row(keys, 0x37, "*", "*");
  add_row(keys, 0x39, " ", " ");
  return keys;
}

// What the cursor block sends, and the keypad without Num Lock.
const std::map<u8, std::string> cursor_keys = {
    {0x47, "\033[H"}, {0x48, "\033[A"}, {0x49, "\033[5~"}, {0x4B, "\033[D"},  {0x4D, "\033[C"},
    {0x4F, "\033[F"}, {0x50, "\033[B"}, {0x51, "\033[6~"}, {0x53, "\033[3~"},
};

std::string expected_of(const key& each, bool shift, bool ctrl, bool alt, bool caps) {
  const bool letter = std::isalpha(static_cast<u8>(each.plain));
  char c = shift != (letter && caps) ? each.shifted : each.plain;
  if (ctrl && (std::isalpha(static_cast<u8>(c)) || std::string_view("@[\\]^_?`{|}~").contains(c)))
    c = static_cast<char>(c & 0x1F);
  return (alt ? "\033" : "") + std::string(1, c);
}

void press_if(keyboard_controller& keyboard, bool wanted, u8 code) {
  if (wanted) keyboard.scan_code(code);
}

void expect_every_key(keyboard_controller& keyboard, bool shift, bool ctrl, bool alt, bool caps) {
  std::map<u8, std::string> expected = cursor_keys;
  for (const key& each : us_keys()) expected[each.code] = expected_of(each, shift, ctrl, alt, caps);
  for (u8 code = 0; code < 0x80; ++code) {
    if (code == CTRL || code == LEFT_SHIFT || code == RIGHT_SHIFT || code == ALT ||
        code == CAPS_LOCK || code == (EXTENDED & 0x7F))
      continue;
    press(keyboard, {code});
    EXPECT_EQ(take_typed(), expected[code])
        << "key " << int{code} << " with" << (shift ? " shift" : "") << (ctrl ? " ctrl" : "")
        << (alt ? " alt" : "") << (caps ? " caps lock" : "");
    press(keyboard, {code | RELEASED});
    EXPECT_EQ(take_typed(), "") << "release of key " << int{code};
  }
}

TEST(keyboard, every_key_with_all_modifiers) {
  for (u32 held = 0; held < 16; ++held) {
    const bool shift = held & 1, ctrl = held & 2, alt = held & 4, caps = held & 8;
    with_keyboard([&](keyboard_controller& keyboard) {
      press_if(keyboard, shift, LEFT_SHIFT);
      press_if(keyboard, ctrl, CTRL);
      press_if(keyboard, alt, ALT);
      press_if(keyboard, caps, CAPS_LOCK);
      press_if(keyboard, caps, CAPS_LOCK | RELEASED);
      expect_every_key(keyboard, shift, ctrl, alt, caps);
    });
  }
}

TEST(keyboard, extended_keys) {
  std::map<u8, std::string> expected = cursor_keys;
  expected[0x1C] = "\r";
  expected[0x35] = "/";
  with_keyboard([&](keyboard_controller& keyboard) {
    for (u8 code = 0; code < 0x80; ++code) {
      if (code == CTRL || code == ALT || code == CAPS_LOCK || code == (EXTENDED & 0x7F)) continue;
      press(keyboard, {EXTENDED, code});
      EXPECT_EQ(take_typed(), expected[code]) << "key E0 " << int{code};
      press(keyboard, {EXTENDED, code | RELEASED});
      EXPECT_EQ(take_typed(), "") << "release of key E0 " << int{code};
    }
    EXPECT_EQ(typed_by(keyboard, {0x1E}), "a") << "E0 is for one code only";
  });
}

// --- modifiers ---

TEST(keyboard, a_modifier_ends_with_its_release) {
  for (const u8 modifier : {LEFT_SHIFT, RIGHT_SHIFT, CTRL, ALT})
    with_keyboard([&](keyboard_controller& keyboard) {
      EXPECT_EQ(typed_by(keyboard, {modifier}), "");
      EXPECT_NE(typed_by(keyboard, {0x1E}), "a");
      EXPECT_EQ(typed_by(keyboard, {modifier | RELEASED}), "");
      EXPECT_EQ(typed_by(keyboard, {0x1E}), "a");
    });
}

TEST(keyboard, shift_counts_while_one_of_both_is_down) {
  with_keyboard([](keyboard_controller& keyboard) {
    EXPECT_EQ(typed_by(keyboard, {LEFT_SHIFT, RIGHT_SHIFT, LEFT_SHIFT | RELEASED, 0x1E}), "A");
    EXPECT_EQ(typed_by(keyboard, {LEFT_SHIFT, RIGHT_SHIFT | RELEASED, 0x1E}), "A");
    EXPECT_EQ(typed_by(keyboard, {LEFT_SHIFT | RELEASED, 0x1E}), "a");
  });
}

TEST(keyboard, the_right_ctrl_and_alt_are_extended) {
  with_keyboard([](keyboard_controller& keyboard) {
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, CTRL, 0x1E}), "\x01");
    EXPECT_EQ(typed_by(keyboard, {CTRL, CTRL | RELEASED, 0x1E}), "\x01") << "the right one is down";
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, CTRL | RELEASED, 0x1E}), "a");
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, ALT, 0x1E}), "\033a");
    EXPECT_EQ(typed_by(keyboard, {ALT, ALT | RELEASED, 0x1E}), "\033a");
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, ALT | RELEASED, 0x1E}), "a");
  });
}

// Around a cursor key the keyboard sends shifts that it makes up.
TEST(keyboard, fake_shifts_do_nothing) {
  with_keyboard([](keyboard_controller& keyboard) {
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, LEFT_SHIFT, 0x1E}), "a");
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, RIGHT_SHIFT, 0x1E}), "a");
    press(keyboard, {LEFT_SHIFT});
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, LEFT_SHIFT | RELEASED, 0x1E}), "A");
    press(keyboard, {LEFT_SHIFT | RELEASED, RIGHT_SHIFT});
    EXPECT_EQ(typed_by(keyboard, {EXTENDED, RIGHT_SHIFT | RELEASED, 0x1E}), "A");
  });
}

TEST(keyboard, caps_lock_changes_once_for_each_press) {
  with_keyboard([](keyboard_controller& keyboard) {
    EXPECT_EQ(typed_by(keyboard, {CAPS_LOCK, 0x1E}), "A");
    EXPECT_EQ(typed_by(keyboard, {CAPS_LOCK | RELEASED, 0x1E, 0x02}), "A1");
    EXPECT_EQ(typed_by(keyboard, {CAPS_LOCK, CAPS_LOCK | RELEASED, 0x1E}), "a");
    EXPECT_EQ(typed_by(keyboard, {CAPS_LOCK, CAPS_LOCK, CAPS_LOCK, CAPS_LOCK, 0x1E}), "A")
        << "a key that is held down repeats";
  });
}

// --- the controller ---

// Waiting for a controller that does not answer ends.
void expect_works_with(keyboard_controller& keyboard) {
  EXPECT_EQ(typed_by(keyboard, {0x1E}), "a");
  EXPECT_EQ(sim::users_of_irq(LINE).all, 1u);
  EXPECT_EQ(sim::users_of_irq(LINE).level_triggered, 0u) << "an ISA line has edges";
}

TEST(keyboard, switches_its_interrupt_on_and_leaves_the_rest) {
  sim::pc_ports pc;
  sim::run(1, [&] {
    typed.clear();
    pc.keyboard.configuration = 0x36;
    pc.keyboard.busy_polls = pc.keyboard.slow_polls = 100;
    for (int i = 0; i < 3; ++i) pc.keyboard.leave_old_byte(0x1E);
    set_keyboard_input([](char c) { typed += c; });
    EXPECT_EQ(pc.keyboard.configuration, 0x67);
    EXPECT_EQ(take_typed(), "") << "what was typed before is thrown away";
    expect_works_with(pc.keyboard);
  });
}

TEST(keyboard, a_controller_that_is_set_already_stays_so) {
  sim::pc_ports pc;
  sim::run(1, [&] {
    typed.clear();
    pc.keyboard.configuration = 0x65;
    set_keyboard_input([](char c) { typed += c; });
    EXPECT_EQ(pc.keyboard.configuration, 0x65);
    EXPECT_EQ(pc.keyboard.data_reads(), 1u) << "the answer";
    expect_works_with(pc.keyboard);
  });
}

TEST(keyboard, waits_for_a_slow_controller_and_not_for_ever) {
  struct row {
    const char* what;
    std::function<void(keyboard_controller&)> trouble;
  };
  const std::vector<row> table = {
      {"it answers nothing", [](keyboard_controller& k) { k.answers = false; }},
      {"it takes nothing", [](keyboard_controller& k) { k.is_stuck = true; }},
      {"it has something to say all the time", [](keyboard_controller& k) { k.babbles = true; }},
      {"it stays busy after a command", [](keyboard_controller& k) { k.busy_polls = 1u << 30; }},
      {"it is busy a little too long", [](keyboard_controller& k) { k.busy_polls = 15'000; }},
  };
  for (const row& each : table) {
    sim::pc_ports pc;
    sim::run(1, [&] {
      each.trouble(pc.keyboard);
      set_keyboard_input([](char c) { typed += c; });
      EXPECT_EQ(sim::users_of_irq(LINE).all, 1u) << each.what;
      EXPECT_LT(now() - instant{}, 1_s) << each.what;
      if (!pc.keyboard.babbles) {
        EXPECT_EQ(pc.keyboard.configuration, 0x36) << each.what;
      }
    });
  }
}

// While its handler runs, no task does, and the clock stands still.
TEST(keyboard, an_interrupt_ends_whatever_the_controller_says) {
  for (const bool is_gone : {false, true})
    with_keyboard([&](keyboard_controller& keyboard) {
      (is_gone ? keyboard.is_there : keyboard.babbles) = !is_gone;
      keyboard.allow_reads(1000);
      EXPECT_TRUE(sim::irq_is_claimed(LINE));
      EXPECT_EQ(take_typed(), "");
    });
}

// More than a controller keeps.
TEST(keyboard, an_interrupt_takes_256_bytes) {
  for (const size_t bytes : {255u, 256u, 257u})
    with_keyboard([&](keyboard_controller& keyboard) {
      const irq_guard masked;
      for (size_t i = 0; i < bytes; ++i) keyboard.scan_code(0x1E);
      EXPECT_TRUE(sim::irq_is_claimed(LINE));
      EXPECT_EQ(take_typed().size(), std::min<size_t>(bytes, 256));
      EXPECT_EQ(sim::irq_is_claimed(LINE), bytes > 256);
      EXPECT_EQ(take_typed().size(), bytes - std::min<size_t>(bytes, 256));
    });
}

TEST(keyboard, a_controller_may_take_milliseconds) {
  sim::pc_ports pc;
  pc.keyboard.busy_polls = pc.keyboard.slow_polls = 5000;
  sim::run(1, [&] {
    set_keyboard_input([](char c) { typed += c; });
    EXPECT_EQ(pc.keyboard.configuration, 0x67);
  });
}

TEST(keyboard, a_machine_without_one_works) {
  sim::pc_ports pc;
  pc.keyboard.is_there = false;
  sim::run(1, [&] {
    set_keyboard_input([](char) { ADD_FAILURE(); });
    EXPECT_EQ(sim::users_of_irq(LINE).all, 0u);
  });
}

TEST(keyboard, one_interrupt_may_stand_for_many_codes) {
  with_keyboard([](keyboard_controller& keyboard) {
    EXPECT_FALSE(sim::irq_is_claimed(LINE));
    {
      const irq_guard masked;
      press(keyboard, {0x1E, 0x1E | RELEASED, 0x30, 0x2E});
      EXPECT_EQ(typed, "");
      EXPECT_TRUE(sim::irq_is_claimed(LINE));
      EXPECT_EQ(take_typed(), "abc");
    }
    EXPECT_FALSE(sim::irq_is_claimed(LINE));
  });
}

TEST(keyboard, what_the_mouse_says_is_no_key) {
  with_keyboard([](keyboard_controller& keyboard) {
    const irq_guard masked;
    keyboard.mouse_byte(0x1E);
    press(keyboard, {0x30});
    EXPECT_TRUE(sim::irq_is_claimed(LINE));
    EXPECT_EQ(take_typed(), "b");
  });
}

}  // namespace
