// The terminal (tty.h) and its programs: waiting, settings, writing.
#include "drivers/char/tty.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "drivers/char/char_device.h"
#include "hal/clock.h"
#include "tests/drivers/char/terminal.h"
#include "tests/sim/scheduler.h"

namespace {

duration time_of(const std::function<void()>& action) {
  const instant begin = now();
  action();
  return now() - begin;
}

TEST(tty_line_waits, vmin_and_vtime_mean_nothing) {
  with_terminal([](terminal& tty) {
    abi::termios t = tty.settings();
    t.cc[abi::cc_min] = 0;
    tty.set(t);
    EXPECT_TRUE(tty.would_wait());
  });
}

// --- waiting ---

TEST(tty_waiting, one_line_for_each_of_two_readers) {
  with_terminal([](terminal& tty) {
    reading one(tty), other(tty);
    tty.type("first\n");
    sleep_for(1_ms);
    EXPECT_NE(one.fiber.ended(), other.fiber.ended());
    tty.type("second\n");
    one.fiber.join();
    other.fiber.join();
    EXPECT_EQ(one.got.size() + other.got.size(), 13u);
    EXPECT_NE(one.got, other.got);
  });
}

TEST(tty_waiting, a_read_of_no_bytes_waits_for_nothing) {
  with_terminal([](terminal& tty) {
    reading reader(tty, 0);
    EXPECT_TRUE(reader.fiber.ended());
    EXPECT_EQ(reader.got, "");
    if (!reader.fiber.ended()) reader.fiber.signal();
    reader.fiber.join();
    EXPECT_EQ(tty.read(0, abi::o_nonblock), "");
    tty.type("\x04");
    EXPECT_EQ(tty.read(0), "");
    EXPECT_EQ(tty.read(), "") << "the end of the file is still there";
  });
}

TEST(tty_waiting, an_end_of_file_is_heard) {
  with_terminal([](terminal& tty) {
    reading reader(tty);
    tty.type("\x04");
    reader.fiber.join();
    EXPECT_EQ(reader.got, "");
  });
}

TEST(tty_waiting, a_pending_signal_comes_before_the_sleep) {
  with_terminal([](terminal& tty) {
    reading reader(tty);
    reader.fiber.signal();
    reader.fiber.join();
    EXPECT_EQ(reader.got, "errno 4");
    const sim::fiber another = sim::spawn("another", [&] { EXPECT_EQ(tty.read(), "errno 4"); });
    another.signal();
    another.join();
    tty.type("x\n");
    const sim::fiber third = sim::spawn("third", [&] { EXPECT_EQ(tty.read(), "x\n"); });
    third.signal();
    third.join();
  });
}

TEST(tty_waiting, a_reader_hears_that_the_mode_has_changed) {
  with_terminal([](terminal& tty) {
    tty.type("part");
    reading reader(tty);
    EXPECT_TRUE(reader.fiber.asleep());
    tty.set_raw(1, 0);
    reader.fiber.join();
    EXPECT_EQ(reader.got, "part");
  });
}

// --- settings ---

TEST(tty_settings, the_first_ones) {
  with_terminal([](terminal& tty) {
    const abi::termios t = tty.settings();
    EXPECT_EQ(t.iflag, abi::tty_icrnl);
    EXPECT_EQ(t.oflag, abi::tty_opost | abi::tty_onlcr);
    EXPECT_EQ(t.lflag, abi::tty_isig | abi::tty_icanon | abi::tty_echo | abi::tty_echoe);
    EXPECT_EQ(t.cflag, 0u);
    const std::array<u8, 19> expected = {3, 0x1C, 0x7F, 0x15, 4, 0, 1, 0, 0, 0, 0x1A};
    EXPECT_TRUE(std::ranges::equal(t.cc, expected));
  });
}

TEST(tty_settings, come_back_as_they_were_set) {
  for (const u32 command : {abi::tcsets, abi::tcsetsw, abi::tcsetsf})
    with_terminal([&](terminal& tty) {
      abi::termios t;
      std::ranges::fill(std::as_writable_bytes(std::span(&t, 1)), byte{0x5A});
      tty.set(t, command);
      const abi::termios is = tty.settings();
      EXPECT_EQ(std::memcmp(&is, &t, sizeof t), 0);
    });
}

TEST(tty_settings, only_tcsetsf_drops_what_was_typed) {
  for (const u32 command : {abi::tcsets, abi::tcsetsw, abi::tcsetsf})
    with_terminal([&](terminal& tty) {
      tty.type("whole\npart");
      tty.set(tty.settings(), command);
      tty.type("x\n");
      EXPECT_EQ(tty.read(), command == abi::tcsetsf ? "x\n" : "whole\n");
      if (command != abi::tcsetsf) {
        EXPECT_EQ(tty.read(), "partx\n") << "the line is still edited";
      }
      EXPECT_TRUE(tty.would_wait());
    });
}

TEST(tty_settings, the_window_and_the_sizes_of_arguments) {
  with_terminal([](terminal& tty) {
    abi::winsize window{};
    EXPECT_EQ(tty.ioctl(abi::tiocgwinsz, &window, sizeof window), 0u);
    EXPECT_EQ(window.rows, 25);
    EXPECT_EQ(window.columns, 80);
    EXPECT_EQ(window.xpixel, 0);
    EXPECT_EQ(window.ypixel, 0);
    const char_device& device = **find_char_device(dev_id(abi::major_tty, 1));
    EXPECT_EQ(device.argument_of(abi::tcgets), (ioctl_argument{36, true}));
    for (const u32 command : {abi::tcsets, abi::tcsetsw, abi::tcsetsf})
      EXPECT_EQ(device.argument_of(command), (ioctl_argument{36, false}));
    EXPECT_EQ(device.argument_of(abi::tiocgpgrp), (ioctl_argument{4, true}));
    EXPECT_EQ(device.argument_of(abi::tiocspgrp), (ioctl_argument{4, false}));
    EXPECT_EQ(device.argument_of(abi::tiocgwinsz), (ioctl_argument{8, true}));
    EXPECT_EQ(device.argument_of(0x5499), ioctl_argument{});
    EXPECT_EQ(tty.ioctl(0x5499, nullptr, 0), fail(error::enotty));
  });
}

// A reader that sleeps gets what is typed by the rules that hold when it is typed.
TEST(tty_settings, that_change_during_a_read) {
  with_terminal([](terminal& tty) {
    tty.set_raw(1, 0);
    const sim::fiber reader = sim::spawn("reader", [&] { EXPECT_EQ(tty.read(), "one\n"); });
    sleep_for(1_ms);
    tty.set_local(abi::tty_icanon);
    tty.type("one\ntwo\n");
    reader.join();
    EXPECT_EQ(tty.read(), "two\n");
  });
}

// --- writing ---

std::string digits(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>('0' + (i + i / 10) % 10);
  return text;
}

TEST(tty_writing, all_that_is_written_is_shown) {
  with_terminal([](terminal& tty) {
    for (const size_t size : {0u, 1u, 255u, 256u, 257u, 1023u, 1024u, 1025u, 2048u, 40000u}) {
      EXPECT_EQ(tty.write(digits(size)), size);
      tty.pc.serial.send(static_cast<u32>(size / 16 + 1));
      EXPECT_EQ(tty.shown(), digits(size)) << size;
    }
    EXPECT_EQ(tty.write("a\nb\n"), 4u);
    tty.pc.serial.send(2);
    EXPECT_EQ(tty.shown(), "a\r\nb\r\n");
  });
}

TEST(tty_writing, a_slow_terminal_is_waited_for) {
  with_terminal([](terminal& tty) {
    tty.pc.serial.speed = sim::serial_line::mode::slow;
    const sim::fiber writer =
        sim::spawn("writer", [&] { EXPECT_EQ(tty.write(digits(30000)), 30000u); });
    for (int i = 0; i < 2000 && !writer.ended(); ++i) {
      sleep_for(1_ms);
      tty.pc.serial.send();
    }
    EXPECT_TRUE(writer.ended());
    tty.pc.serial.send(2000);
    EXPECT_EQ(tty.shown(), digits(30000));
  });
}

TEST(tty_writing, a_signal_ends_it_with_what_is_done) {
  with_terminal([](terminal& tty) {
    tty.pc.serial.speed = sim::serial_line::mode::slow;
    result<u32> written = 0u;
    const sim::fiber writer = sim::spawn("writer", [&] { written = tty.write(digits(30000)); });
    sleep_for(1_s);
    writer.signal();
    writer.join();
    ASSERT_TRUE(written);
    EXPECT_GT(*written, 8192u);
    EXPECT_LT(*written, 8192u + 16 + 2 * 1024u);
    const u32 done = *written;
    const sim::fiber next = sim::spawn("next", [&] { written = tty.write("xyz"); });
    sleep_for(1_s);
    next.signal();
    next.join();
    EXPECT_EQ(written, fail(error::eintr));
    tty.pc.serial.send(2000);
    EXPECT_EQ(tty.shown(), digits(30000).substr(0, done));
  });
}

TEST(tty_writing, a_dead_terminal_does_not_hold_programs_up_for_ever) {
  with_terminal([](terminal& tty) {
    tty.pc.serial.speed = sim::serial_line::mode::slow;
    const duration first = time_of([&] { EXPECT_EQ(tty.write(digits(9000)), 9000u); });
    const duration more = time_of([&] { EXPECT_EQ(tty.write(digits(2000)), 2000u); });
    const duration later = time_of([&] { EXPECT_EQ(tty.write(digits(100000)), 100000u); });
    EXPECT_EQ((first + more).seconds(), 60);
    EXPECT_LT(later, 1_s);
  });
}

}  // namespace
