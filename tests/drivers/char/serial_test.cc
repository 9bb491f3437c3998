// The serial line (serial.h) over a simulated 16550A.
#include "drivers/char/serial.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>

#include "hal/clock.h"
#include "hal/irq.h"
#include "lib/time.h"
#include "tests/sim/irq.h"
#include "tests/sim/pc_ports.h"
#include "tests/sim/scheduler.h"

namespace {

using sim::serial_line;

constexpr u8 com1 = 4;
constexpr u32 FIFO = 16, QUEUE = 16384, PLENTY = QUEUE / 2;

std::string received;

// Letters in an order that does not repeat early, so that a piece tells where it is from.
std::string letters(size_t count, size_t first = 0) {
  std::string text;
  for (size_t i = first; i < first + count; ++i)
    text += static_cast<char>('a' + (i * 7 + i / 26 + i / 997) % 26);
  return text;
}

// A line with interrupts, as after boot.
void with_line(const std::function<void(serial_line&)>& body) {
  received.clear();
  sim::pc_ports pc;
  sim::run(1, [&] {
    serial_init();
    set_serial_input([](char c) { received += c; });
    body(pc.serial);
  });
}

// The same, of which the transmitter sends when the test says so.
void with_slow_line(const std::function<void(serial_line&)>& body) {
  with_line([&](serial_line& line) {
    line.speed = serial_line::mode::slow;
    body(line);
  });
}

duration time_of(const std::function<void()>& action) {
  const instant begin = now();
  action();
  return now() - begin;
}

TEST(serial, sets_the_line_up) {
  sim::pc_ports pc;
  sim::run(1, [&] {
    pc.serial.type("old");
    serial_init();
    EXPECT_EQ(pc.serial.divisor(), 1u) << "115200 baud";
    EXPECT_EQ(pc.serial.line_control(), 3) << "8 bits, no parity, one stop bit";
    EXPECT_EQ(pc.serial.modem_control(), 0x0B) << "DTR, RTS, and OUT2, which lets interrupts out";
    EXPECT_EQ(pc.serial.interrupts_enabled(), 0);
    EXPECT_TRUE(pc.serial.fifos_on());
    received.clear();
    set_serial_input([](char c) { received += c; });
    EXPECT_EQ(pc.serial.interrupts_enabled(), 1);
    EXPECT_EQ(sim::users_of_irq(com1).all, 1u);
    EXPECT_EQ(sim::users_of_irq(com1).level_triggered, 0u) << "an ISA line has edges";
    pc.serial.type("new");
    EXPECT_EQ(received, "new");
  });
}

TEST(serial, a_machine_without_it_works) {
  sim::pc_ports pc;
  pc.serial.is_there = false;
  sim::run(1, [&] {
    serial_init();
    set_serial_input([](char) {});
    EXPECT_EQ(sim::users_of_irq(com1).all, 0u);
    EXPECT_LT(time_of([] {
                for (int i = 0; i < 10; ++i) serial_write(letters(QUEUE));
                EXPECT_TRUE(serial_wait_for_room());
                serial_panic();
              }),
              1_ms);
  });
}

TEST(serial, sends_all_at_once_until_there_are_interrupts) {
  sim::pc_ports pc;
  sim::run(1, [&] {
    serial_init();
    for (const u32 size : {1u, FIFO - 1, FIFO, FIFO + 1, 1000u, QUEUE + 1}) {
      serial_write(letters(size));
      EXPECT_EQ(pc.serial.take_sent(), letters(size));
    }
    EXPECT_EQ(pc.serial.most_at_once(), FIFO);
    EXPECT_EQ(pc.serial.interrupts_enabled(), 0);
  });
}

TEST(serial, sends_the_rest_by_interrupts) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(100));
    line.send();
    EXPECT_EQ(line.sent(), letters(FIFO)) << "a FIFO full";
    serial_write(letters(3, 100));
    EXPECT_EQ(line.interrupts_enabled(), 3);
    line.send(5);
    EXPECT_EQ(line.sent(), letters(96));
    EXPECT_EQ(line.interrupts_enabled(), 1) << "the rest is in the FIFO";
    line.send();
    EXPECT_EQ(line.sent(), letters(103));
    serial_write(letters(1));
    line.send();
    EXPECT_EQ(line.sent(), letters(103) + letters(1)) << "and the same again";
  });
}

TEST(serial, the_first_characters_need_no_interrupt) {
  with_slow_line([](serial_line& line) {
    const irq_guard masked;
    serial_write(letters(20));
    line.send();
    EXPECT_EQ(line.sent(), letters(FIFO));
  });
}

TEST(serial, what_is_received_makes_no_room_for_what_is_sent) {
  with_slow_line([](serial_line& line) {
    const irq_guard masked;
    serial_write(letters(FIFO));
    line.type("x");
    serial_write(letters(FIFO, FIFO));
    line.send();
    EXPECT_EQ(line.sent(), letters(FIFO));
  });
}

TEST(serial, an_interrupt_is_claimed_when_it_has_a_cause) {
  with_slow_line([](serial_line& line) {
    EXPECT_FALSE(sim::irq_is_claimed(com1));
    const irq_guard masked;
    line.type("x");
    EXPECT_TRUE(sim::irq_is_claimed(com1));
    EXPECT_FALSE(sim::irq_is_claimed(com1));
    EXPECT_EQ(received, "x");
  });
}

TEST(serial, receives_a_whole_fifo_with_one_interrupt) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(20));
    {
      const irq_guard masked;
      line.type("0123456789ABCDEF");
      line.send();
      EXPECT_EQ(received, "");
    }
    EXPECT_EQ(received, "0123456789ABCDEF");
    line.send();
    EXPECT_EQ(line.sent(), letters(20)) << "both causes were served";
    for (int i = 0; i < 100; ++i) line.type("y");
    EXPECT_EQ(received.size(), 116u);
  });
}

TEST(serial, a_full_queue_is_emptied_by_polling) {
  with_line([](serial_line& line) {
    serial_write(letters(5 * QUEUE));
    EXPECT_EQ(line.sent().size(), 5 * QUEUE);
    EXPECT_EQ(line.sent(), letters(5 * QUEUE));
  });
}

TEST(serial, the_queue_holds_so_much_without_waiting) {
  with_slow_line([](serial_line& line) {
    EXPECT_LT(time_of([] { serial_write(letters(QUEUE)); }), 1_ms);
    EXPECT_LT(time_of([] { serial_write(letters(FIFO, QUEUE)); }), 1_ms);
    line.send((QUEUE + FIFO) / FIFO);
    EXPECT_EQ(line.sent(), letters(QUEUE + FIFO));
  });
}

// A caller with interrupts masked waits for a few characters, not for half of the queue.
TEST(serial, a_full_queue_keeps_interrupts_masked_for_a_moment) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(QUEUE));
    serial_write(letters(FIFO, QUEUE));
    line.speed = serial_line::mode::quick;
    line.polls = 1000;
    serial_write(letters(1));
    line.speed = serial_line::mode::slow;
    EXPECT_LE(line.sent().size(), 3 * FIFO);
  });
}

// A line that takes nothing for a tenth of a second is not connected: the oldest text is thrown
// away, and no later writer waits. When it takes characters again, all is as before.
TEST(serial, a_dead_line_is_waited_for_once) {
  with_slow_line([](serial_line& line) {
    const u32 before = QUEUE + FIFO;
    serial_write(letters(QUEUE));
    serial_write(letters(FIFO, QUEUE));
    const duration first = time_of([&] { serial_write(letters(1, before)); });
    EXPECT_GE(first, 100_ms);
    EXPECT_LT(first, 110_ms);
    const duration later = time_of([&] { serial_write(letters(3 * QUEUE, before + 1)); });
    EXPECT_LT(later, 1_ms);

    const u32 all = before + 1 + 3 * QUEUE;
    line.send(all / FIFO);
    const std::string text = line.take_sent();
    EXPECT_EQ(text.substr(0, FIFO), letters(FIFO)) << "what was in the FIFO already";
    ASSERT_GE(text.size(), PLENTY + FIFO);
    ASSERT_LE(text.size(), QUEUE + FIFO);
    const u32 kept = static_cast<u32>(text.size()) - FIFO;
    EXPECT_EQ(text.substr(FIFO), letters(kept, all - kept)) << "the newest text";

    serial_write(letters(QUEUE));
    serial_write(letters(FIFO, QUEUE));
    EXPECT_GE(time_of([] { serial_write(std::string_view("x")); }), 100_ms)
        << "it counts as connected again";
    line.send();
    EXPECT_EQ(line.sent(), letters(FIFO));
  });
}

TEST(serial, half_of_a_dead_lines_text_is_kept) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(QUEUE));
    serial_write(letters(FIFO + 1, QUEUE));
    line.send(QUEUE);
    EXPECT_EQ(line.sent(), letters(FIFO) + letters(PLENTY + 1, QUEUE + FIFO - PLENTY));
  });
}

// --- waiting for room ---

void fill(u32 queued) {
  serial_write(letters(FIFO));
  serial_write(letters(queued));
}

TEST(serial, waits_only_while_more_than_half_is_queued) {
  with_slow_line([](serial_line& line) {
    fill(PLENTY);
    EXPECT_LT(time_of([] { EXPECT_TRUE(serial_wait_for_room()); }), 1_ms);
    serial_write(std::string_view("x"));
    u32 done = 0;
    const auto wait = [&] {
      EXPECT_TRUE(serial_wait_for_room());
      ++done;
    };
    sim::spawn("one", wait);
    sim::spawn("other", wait);
    sleep_for(1_s);
    EXPECT_EQ(done, 0u);
    line.send();
    sleep_for(1_ms);
    EXPECT_EQ(done, 2u);
  });
}

TEST(serial, a_waiter_is_woken_as_soon_as_half_is_free) {
  with_slow_line([](serial_line& line) {
    fill(PLENTY + FIFO);
    const sim::fiber waiter = sim::spawn("waiter", [] { EXPECT_TRUE(serial_wait_for_room()); });
    sleep_for(1_s);
    EXPECT_TRUE(waiter.asleep());
    line.send();
    sleep_for(1_ms);
    EXPECT_TRUE(waiter.ended());
  });
}

TEST(serial, a_signal_ends_the_waiting) {
  with_slow_line([](serial_line& line) {
    fill(PLENTY + 1);
    const sim::fiber waiter = sim::spawn("waiter", [] { EXPECT_FALSE(serial_wait_for_room()); });
    sleep_for(1_s);
    waiter.signal();
    waiter.join();
    const sim::fiber next = sim::spawn("next", [] { EXPECT_TRUE(serial_wait_for_room()); });
    sleep_for(1_s);
    EXPECT_TRUE(next.asleep()) << "the line is not given up for a signal";
    line.send();
    next.join();
  });
}

TEST(serial, a_dead_line_is_given_up_by_all_waiters) {
  with_slow_line([](serial_line& line) {
    fill(PLENTY + 1);
    const sim::fiber first = sim::spawn(
        "first", [] { EXPECT_EQ(time_of([] { EXPECT_TRUE(serial_wait_for_room()); }), 60_s); });
    sleep_for(40_s);
    const sim::fiber second = sim::spawn(
        "second", [] { EXPECT_EQ(time_of([] { EXPECT_TRUE(serial_wait_for_room()); }), 20_s); });
    first.join();
    second.join();
    EXPECT_LT(time_of([] { EXPECT_TRUE(serial_wait_for_room()); }), 1_ms);
    line.send();
    serial_write(letters(100));
    const sim::fiber third = sim::spawn("third", [] { EXPECT_TRUE(serial_wait_for_room()); });
    sleep_for(1_s);
    EXPECT_TRUE(third.asleep()) << "it counts as connected again";
    line.send(10);
    third.join();
  });
}

// A writer that cannot sleep finds the line dead meanwhile.
TEST(serial, a_waiter_hears_that_the_line_is_dead) {
  with_slow_line([](serial_line&) {
    fill(QUEUE);
    const sim::fiber waiter = sim::spawn("waiter", [] { EXPECT_TRUE(serial_wait_for_room()); });
    sleep_for(1_s);
    serial_write(std::string_view("x"));
    sleep_for(1_ms);
    EXPECT_TRUE(waiter.ended());
  });
}

// --- the clock stands still ---
//
// So it does while interrupts are masked (kernel/i386/clock.cc): by printk, in interrupt handlers,
// and at a panic. A wait must end all the same, and it must be a wait.

constexpr u32 FULL_AFTER = 100'000, STUCK_AFTER = 2'000'000;  // reads of the status

// Runs `action` with interrupts masked. Returns how often it has read a register of the line.
u32 reads_of(serial_line& line, u32 most, const std::function<void()>& action) {
  const irq_guard masked;
  const instant begin = now();
  const u32 before = line.reads();
  line.allow_reads(most);
  action();
  line.allow_reads(FULL_AFTER);
  EXPECT_EQ(now(), begin) << "the clock stands still";
  return line.reads() - before;
}

TEST(serial_without_clock, a_writer_ends_on_a_dead_line) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(FIFO));
    serial_write(letters(QUEUE));
    const auto write = [] { serial_write(letters(QUEUE)); };
    EXPECT_GT(reads_of(line, FULL_AFTER + 10, write), FULL_AFTER);
    EXPECT_LT(reads_of(line, 10, write), 10u) << "it is waited for once";
  });
}

// Each FIFO of characters may take as long as a line that is not dead needs.
TEST(serial_without_clock, a_writer_waits_for_a_slow_line) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(FIFO));
    serial_write(letters(QUEUE));
    line.speed = serial_line::mode::quick;
    line.polls = FULL_AFTER / 2;
    const auto write = [] { serial_write(letters(3 * FIFO, FIFO + QUEUE)); };
    EXPECT_LT(reads_of(line, 4 * line.polls, write), 4 * line.polls);
    line.polls = 1;
    line.send(2 + QUEUE / FIFO);
    EXPECT_EQ(line.sent(), letters(FIFO) + letters(QUEUE) + letters(3 * FIFO, FIFO + QUEUE));
  });
}

TEST(serial_without_clock, a_panic_ends_on_a_dead_line) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(FIFO));
    serial_write(letters(1000));
    EXPECT_GT(reads_of(line, STUCK_AFTER + 10, [] { serial_panic(); }), STUCK_AFTER);
    EXPECT_LT(reads_of(line, 10, [] { serial_write(letters(1000)); }), 10u);
  });
}

TEST(serial_without_clock, the_boot_goes_on_with_a_dead_line) {
  sim::pc_ports pc;
  pc.serial.speed = serial_line::mode::slow;
  sim::run(1, [&] {
    serial_init();
    const auto write = [] { serial_write(letters(2 * FIFO)); };
    EXPECT_GT(reads_of(pc.serial, STUCK_AFTER + 10, write), STUCK_AFTER);
    EXPECT_LT(reads_of(pc.serial, 10, write), 10u);
  });
}

// What is typed is echoed by the handler itself.
TEST(serial_without_clock, an_echo_ends_on_a_dead_line) {
  with_slow_line([](serial_line& line) {
    set_serial_input([](char c) { serial_write(std::array{'^', c}); });
    serial_write(letters(FIFO));
    serial_write(letters(QUEUE));
    line.allow_reads(FULL_AFTER + 200);
    line.type("0123456789ABCDEF");
    line.allow_reads(FULL_AFTER);
  });
}

// Some chips tell of characters when there are none. One that goes on and on with that is polled.
TEST(serial_without_clock, a_cause_without_an_effect_ends) {
  constexpr u32 MOST = 100;
  for (const u32 causes : {MOST - 1, MOST, MOST + 1, 1'000'000u})
    with_slow_line([&](serial_line& line) {
      serial_write(letters(100));
      line.speed = serial_line::mode::quick;
      line.idle_causes = causes;
      line.allow_reads(1000);
      line.type("x");
      EXPECT_EQ(received, "x");
      EXPECT_EQ(line.take_sent(), letters(100)) << "what was queued";
      EXPECT_EQ(line.interrupts_enabled(), causes < MOST ? 1 : 0) << causes;
      line.allow_reads(QUEUE);
      serial_write(letters(QUEUE));
      EXPECT_EQ(line.take_sent(), letters(QUEUE));
      EXPECT_LT(time_of([] { EXPECT_TRUE(serial_wait_for_room()); }), 1_ms);
    });
}

// A chip that is gone reads as ones: a character is there, and no interrupt.
TEST(serial_without_clock, a_line_that_goes_away_ends_its_interrupt) {
  static serial_line* leaving;
  with_line([](serial_line& line) {
    leaving = &line;
    set_serial_input([](char) { leaving->is_there = false; });
    line.allow_reads(1000);
    line.type("x");
    line.allow_reads(QUEUE);
    serial_write(letters(QUEUE));
  });
}

// --- panic ---

TEST(serial, a_panic_sends_what_is_queued_by_polling) {
  with_slow_line([](serial_line& line) {
    serial_write(letters(1000));
    line.speed = serial_line::mode::quick;
    line.polls = 5;
    const irq_guard masked;
    serial_panic();
    serial_write(letters(100));
    line.speed = serial_line::mode::slow;  // what the driver itself has sent
    line.send();
    EXPECT_EQ(line.sent(), letters(1000) + letters(100));
  });
}

TEST(serial, a_panic_ends_on_a_dead_line) {
  with_slow_line([](serial_line&) {
    serial_write(letters(1000));
    const irq_guard masked;
    EXPECT_LT(time_of([] { serial_panic(); }), 2_s + 10_ms);
    EXPECT_LT(time_of([] { serial_write(letters(1000)); }), 1_ms);
  });
}

}  // namespace
