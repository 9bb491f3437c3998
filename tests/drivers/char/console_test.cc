// The console (console.h): the same text on the screen and on the serial line.
#include "drivers/char/console.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/text_screen.h"
#include "tests/sim/irq.h"
#include "tests/sim/pc_ports.h"
#include "tests/sim/scheduler.h"

namespace {

std::string screen_row(u32 row) {
  std::string text;
  for (const u16 cell : text_screen().subspan(row * screen_columns, screen_columns))
    text += static_cast<char>(cell & 0xFF);
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

void with_console(const std::function<void(sim::pc_ports&)>& body) {
  sim::pc_ports pc;
  sim::run(1, [&] {
    console_init();
    body(pc);
  });
}

TEST(console, shows_text_on_both_terminals) {
  with_console([](sim::pc_ports& pc) {
    console_write(std::string_view("one\ntwo\n\nfour"));
    EXPECT_EQ(pc.serial.take_sent(), "one\r\ntwo\r\n\r\nfour");
    EXPECT_EQ(screen_row(0), "one");
    EXPECT_EQ(screen_row(1), "two");
    EXPECT_EQ(screen_row(2), "");
    EXPECT_EQ(screen_row(3), "four");
    EXPECT_EQ(pc.cursor(), 3 * screen_columns + 4);
    console_write(std::string_view("\r\033[1m!"));
    EXPECT_EQ(pc.serial.take_sent(), "\r\033[1m!");
    EXPECT_EQ(screen_row(3), "!our");
  });
}

// Its text is printed with interrupts masked: the clock stands still.
TEST(console, ends_on_a_dead_line) {
  with_console([](sim::pc_ports& pc) {
    pc.serial.speed = sim::serial_line::mode::slow;
    const instant begin = now();
    pc.serial.allow_reads(2'001'000);
    console_write(std::string(20'000, 'x') + "\nend");
    EXPECT_EQ(now(), begin);
    EXPECT_EQ(screen_row(screen_rows - 1), "end");
  });
}

TEST(console, begins_with_a_blank_screen) {
  with_console([](sim::pc_ports&) { console_write(std::string_view("old\nold")); });
  with_console([](sim::pc_ports& pc) {
    EXPECT_EQ(screen_row(0) + screen_row(1), "");
    EXPECT_EQ(pc.cursor(), 0u);
  });
}

TEST(console, knows_whether_a_line_has_ended) {
  with_console([](sim::pc_ports&) {
    EXPECT_TRUE(console_at_line_start());
    console_write(std::string_view("a"));
    EXPECT_FALSE(console_at_line_start());
    console_write({});
    EXPECT_FALSE(console_at_line_start());
    console_write(std::string_view("b\n"));
    EXPECT_TRUE(console_at_line_start());
    console_write({});
    EXPECT_TRUE(console_at_line_start());
    console_write(std::string_view("\nb"));
    EXPECT_FALSE(console_at_line_start());
  });
}

TEST(console, texts_of_all_lengths) {
  for (const size_t size : {1u, 79u, 80u, 81u, 255u, 256u, 257u, 511u, 512u, 513u, 2000u, 5000u})
    for (const size_t line : {1u, 2u, 80u, 256u, 10000u})
      with_console([&](sim::pc_ports& pc) {
        std::string text, expected;
        for (size_t i = 1; i <= size; ++i) {
          const char c = i % line == 0 ? '\n' : static_cast<char>('!' + i % 90);
          text += c;
          expected += c == '\n' ? "\r\n" : std::string(1, c);
        }
        console_write(text);
        ASSERT_EQ(pc.serial.sent(), expected) << size << ' ' << line;
      });
}

// An interrupt that comes in the middle of a long text prints between two pieces of it, soon. It
// never prints inside of one, where the screen and the line differ for a moment.
TEST(console, lets_interrupts_in_between_pieces) {
  with_console([](sim::pc_ports& pc) {
    static sim::pc_ports* devices;
    static size_t shown_before;
    devices = &pc;
    shown_before = 0;
    ASSERT_TRUE(request_irq(
        9, false,
        [](void*) {
          shown_before = devices->serial.sent().size();
          console_write(std::string_view("<irq>"));
          return true;
        },
        nullptr));
    pc.serial.on_send = [] { sim::raise_irq(9); };
    const std::string text(1000, 'x');
    console_write(text);
    const std::string sent = pc.serial.sent();
    EXPECT_EQ(sent.size(), text.size() + 5);
    EXPECT_GT(shown_before, 0u);
    EXPECT_LE(shown_before, 256u) << "interrupts are masked for too long";
    EXPECT_EQ(sent.substr(shown_before, 5), "<irq>");
    std::string screen;
    for (u32 row = 0; row < 13; ++row) screen += screen_row(row);
    EXPECT_EQ(screen, sent) << "both show the same";
  });
}

TEST(console, both_terminals_type) {
  with_console([](sim::pc_ports& pc) {
    static std::string typed;
    typed.clear();
    set_console_input([](char c) { typed += c; });
    pc.serial.type("a");
    pc.keyboard.scan_code(0x30);
    EXPECT_EQ(typed, "ab");
  });
}

TEST(console, a_panic_shows_what_is_queued) {
  with_console([](sim::pc_ports& pc) {
    set_console_input([](char) {});
    pc.serial.speed = sim::serial_line::mode::slow;
    console_write(std::string_view("the last words"));
    pc.serial.speed = sim::serial_line::mode::quick;
    const irq_guard masked;
    console_panic();
    EXPECT_EQ(pc.serial.sent(), "the last words");
  });
}

}  // namespace
