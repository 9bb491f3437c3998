// The terminal of the tests: see terminal.h.
#include "tests/drivers/char/terminal.h"

#include <gtest/gtest.h>

#include <utility>

#include "drivers/char/char_device.h"
#include "drivers/char/console.h"
#include "drivers/char/tty.h"
#include "hal/clock.h"
#include "hal/task.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/world_state.h"

namespace {

terminal* booted = nullptr;

const char_device& device() { return **find_char_device(dev_id(abi::major_console, 0)); }

void note_signal(int group, u32 signal) {
  booted->signals.push_back({group, signal});
  if (signal == abi::sigttin || signal == abi::sigttou) current_task()->signal = true;
}

}  // namespace

void with_terminal(const std::function<void(terminal&)>& body) {
  terminal made;
  booted = &made;
  sim::run(1, [&] {
    console_init();
    tty_init({.current_group = [] { return booted->group; },
              .current_session = [] { return booted->session; },
              .accepts = [](u32) { return booted->accepts_stops; },
              .in_session = [](int group, int) { return group != 0 && group != NO_GROUP; },
              .is_orphaned = [](int) { return booted->is_orphan; },
              .signal = note_signal});
    body(made);
  });
  booted = nullptr;
}

void terminal::type(std::string_view text) { pc.serial.type(text); }

void terminal::type_silently(std::string_view text) {
  type(text);
  shown();
}

std::string terminal::read(u32 count, u32 flags) {
  std::vector<byte> to(count);
  const result<u32> got = device().read(0, to, 0, flags);
  if (!got) return "errno " + std::to_string(to_errno(got.error()));
  return {reinterpret_cast<const char*>(to.data()), *got};
}

bool terminal::would_wait() {
  std::string got;
  const sim::fiber reader = sim::spawn("reader", [&] { got = read(); });
  sleep_for(1_s);
  if (reader.ended()) return false;
  reader.signal();
  reader.join();
  EXPECT_EQ(got, "errno 4") << "a signal ends the sleep";
  return true;
}

result<u32> terminal::write(std::string_view text, u32 flags) {
  return device().write(0, std::as_bytes(std::span(text)), 0, flags);
}

result<u32> terminal::ioctl(u32 command, void* argument, size_t size) {
  return device().ioctl(0, command, {static_cast<byte*>(argument), size});
}

abi::termios terminal::settings() {
  abi::termios t{};
  EXPECT_EQ(ioctl(abi::tcgets, &t, sizeof t), 0u);
  return t;
}

void terminal::set(const abi::termios& settings, u32 command) {
  abi::termios t = settings;
  EXPECT_EQ(ioctl(command, &t, sizeof t), 0u);
}

void terminal::set_output(u32 flags) {
  abi::termios t = settings();
  t.oflag = flags;
  set(t);
}

void terminal::set_local(u32 flags) {
  abi::termios t = settings();
  t.lflag = flags;
  set(t);
}

void terminal::set_raw(u8 vmin, u8 vtime) {
  abi::termios t = settings();
  t.lflag &= ~abi::tty_icanon;
  t.cc[abi::cc_min] = vmin;
  t.cc[abi::cc_time] = vtime;
  set(t);
}

result<u32> terminal::set_foreground(int to) { return ioctl(abi::tiocspgrp, &to, sizeof to); }

int terminal::foreground() {
  int is = -1;
  EXPECT_EQ(ioctl(abi::tiocgpgrp, &is, sizeof is), 0u);
  return is;
}

reading::reading(terminal& tty, u32 count)
    : fiber(sim::spawn("reader", [this, &tty, count] {
        got = tty.read(count);
        ended = now();
      })) {
  sleep_for(1_ms);
}
