// The terminal without lines (POSIX, 11.1.7): VMIN, VTIME, O_NONBLOCK, and output as it was
// written.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hal/clock.h"
#include "tests/drivers/char/terminal.h"
#include "tests/sim/scheduler.h"

namespace {

TEST(tty_raw, characters_are_read_as_they_come) {
  with_terminal([](terminal& tty) {
    tty.set_raw(1, 0);
    tty.type("a\x7F\x04\x15\b\n\t\x1B");
    EXPECT_EQ(tty.shown(), "a^?^D^U^H\r\n\t^[");
    EXPECT_EQ(tty.read(3), "a\x7F\x04");
    EXPECT_EQ(tty.read(), "\x15\b\n\t\x1B") << "a line's end ends no read";
    tty.type("\r");
    EXPECT_EQ(tty.read(), "\n");
    EXPECT_TRUE(tty.would_wait());
  });
}

TEST(tty_raw, what_does_not_fit_is_dropped_and_not_shown) {
  with_terminal([](terminal& tty) {
    tty.set_raw(1, 0);
    for (int i = 0; i < 2500; ++i) tty.type("x");
    EXPECT_EQ(tty.shown(), std::string(2047, 'x'));
    EXPECT_EQ(tty.read(), std::string(2047, 'x'));
    tty.type("y");
    EXPECT_EQ(tty.read(), "y");
  });
}

// One row is one read: what is typed at which time after its call, and when it ends with what.
struct keys_at {
  duration after;
  const char* typed;
};
struct timed_read {
  u8 vmin, vtime;  // tenths of a second
  std::vector<keys_at> keys;
  const char* got;
  duration ends_after;
  u32 room = 4096;
};

void expect(const timed_read& each) {
  with_terminal([&](terminal& tty) {
    tty.set_raw(each.vmin, each.vtime);
    const instant begin = now();
    reading reader(tty, each.room);
    for (const keys_at& one : each.keys) {
      sleep_for(begin + one.after - now());
      tty.type(one.typed);
    }
    reader.fiber.join();
    const std::string name = std::to_string(each.vmin) + ' ' + std::to_string(each.vtime);
    EXPECT_EQ(reader.got, each.got) << name;
    EXPECT_EQ((reader.ended - begin).milliseconds(), each.ends_after.milliseconds()) << name;
  });
}

// Case A: both. The time runs between two characters.
TEST(tty_raw, so_many_characters_or_a_pause_between_them) {
  const std::vector<timed_read> table = {
      {3, 2, {{100_ms, "abc"}}, "abc", 100_ms},
      {3, 2, {{100_s, "a"}}, "a", 100'200_ms},
      {3, 2, {{100_ms, "a"}, {250_ms, "b"}, {400_ms, "c"}}, "abc", 400_ms},
      {3, 2, {{100_ms, "a"}, {250_ms, "b"}, {500_ms, "c"}}, "ab", 450_ms},
      {1, 5, {{100_s, "x"}}, "x", 100_s},
  };
  for (const timed_read& each : table) expect(each);
}

// Case B: without a time it waits for ever.
TEST(tty_raw, so_many_characters) {
  const std::vector<timed_read> table = {
      {1, 0, {{100_s, "x"}}, "x", 100_s},
      {3, 0, {{1_ms, "ab"}, {100_s, "c"}}, "abc", 100_s},
      {3, 0, {{1_ms, "ab"}, {100_s, "cd"}}, "abc", 100_s, 3},
      {5, 0, {{1_ms, "a"}, {100_s, "b"}}, "ab", 100_s, 2},
  };
  for (const timed_read& each : table) expect(each);
}

// Case C: the time runs from the call on.
TEST(tty_raw, one_character_within_a_time) {
  const std::vector<timed_read> table = {
      {0, 1, {{50_ms, "x"}}, "x", 50_ms},    {0, 1, {{150_ms, "x"}}, "", 100_ms},
      {0, 5, {{600_ms, "x"}}, "", 500_ms},   {0, 5, {{400_ms, "x"}}, "x", 400_ms},
      {0, 255, {{26_s, "x"}}, "", 25500_ms},
  };
  for (const timed_read& each : table) expect(each);
}

// Case D: what is there.
TEST(tty_raw, neither_characters_nor_a_time) { expect({0, 0, {{50_ms, "x"}}, "", 0_ms}); }

TEST(tty_raw, what_is_there_counts_from_the_call_on) {
  for (const u8 vmin : {u8{0}, u8{1}, u8{2}, u8{3}})
    with_terminal([&](terminal& tty) {
      tty.set_raw(vmin, 10);
      tty.type("ab");
      sleep_for(5_s);
      const instant begin = now();
      EXPECT_EQ(tty.read(), "ab");
      EXPECT_EQ((now() - begin).milliseconds(), vmin == 3 ? 1000 : 0) << int{vmin};
    });
}

// Typed in a line, ^D is the end of a file. Without lines it is a character like the others: with
// VMIN a read of 0 bytes would be taken for a hang-up.
TEST(tty_raw, the_end_of_a_file_becomes_a_character) {
  with_terminal([](terminal& tty) {
    abi::termios t = tty.settings();
    t.cc[abi::cc_eof] = 'Q';
    tty.set(t);
    tty.type("Qab\nQcQ");
    tty.set_raw(1, 0);
    EXPECT_EQ(tty.read(1), "Q");
    tty.set_raw(6, 0);
    EXPECT_EQ(tty.read(), "ab\nQcQ") << "it counts as one";
  });
}

TEST(tty_raw, a_signal_takes_no_character) {
  with_terminal([](terminal& tty) {
    tty.set_raw(3, 0);
    tty.type("ab");
    EXPECT_TRUE(tty.would_wait());
    tty.type("c");
    EXPECT_EQ(tty.read(), "abc");
  });
}

// --- O_NONBLOCK ---

TEST(tty_nonblock, a_read_waits_for_nothing) {
  with_terminal([](terminal& tty) {
    EXPECT_EQ(tty.read(10, abi::o_nonblock), "errno 11");
    tty.type("part");
    EXPECT_EQ(tty.read(10, abi::o_nonblock), "errno 11") << "it is no line";
    tty.type("\n");
    EXPECT_EQ(tty.read(10, abi::o_nonblock), "part\n");
    tty.set_raw(3, 0);
    EXPECT_EQ(tty.read(10, abi::o_nonblock), "errno 11");
    tty.type("ab");
    EXPECT_EQ(tty.read(10, abi::o_nonblock), "ab") << "what there is";
    tty.set_raw(0, 5);
    EXPECT_EQ(tty.read(10, abi::o_nonblock), "errno 11");
    tty.set_raw(0, 0);
    EXPECT_EQ(tty.read(10, abi::o_nonblock), "");
  });
}

TEST(tty_nonblock, a_write_takes_what_a_slow_terminal_has_room_for) {
  with_terminal([](terminal& tty) {
    tty.pc.serial.speed = sim::serial_line::mode::slow;
    const instant begin = now();
    const result<u32> taken = tty.write(std::string(30000, 'x'), abi::o_nonblock);
    ASSERT_TRUE(taken);
    EXPECT_GT(*taken, 8192u);
    EXPECT_LT(*taken, 8192u + 16 + 2 * 1024u);
    EXPECT_EQ(tty.write("y", abi::o_nonblock), fail(error::eagain));
    EXPECT_EQ(now(), begin);
    tty.pc.serial.send(2000);
    EXPECT_EQ(tty.write("y", abi::o_nonblock), 1u);
  });
}

// --- output ---

TEST(tty_output, is_changed_with_opost_and_onlcr_alone) {
  for (const u32 flags : {0u, abi::tty_opost, abi::tty_onlcr, abi::tty_opost | abi::tty_onlcr})
    with_terminal([&](terminal& tty) {
      const bool changed = flags == (abi::tty_opost | abi::tty_onlcr);
      tty.set_output(flags);
      EXPECT_EQ(tty.write("a\nb\r\n\n"), 6u);
      EXPECT_EQ(tty.shown(), changed ? "a\r\nb\r\r\n\r\n" : "a\nb\r\n\n");
      tty.type("c\n");
      EXPECT_EQ(tty.shown(), changed ? "c\r\n" : "c\n") << "echo is output, too";
      const std::string text(3000, 'x');
      EXPECT_EQ(tty.write(text), 3000u);
      tty.pc.serial.send(2000);
      EXPECT_EQ(tty.shown(), text);
    });
}

}  // namespace
