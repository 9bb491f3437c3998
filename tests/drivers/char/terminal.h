// A machine with a console and its terminal, and a process that uses it: for the tests of tty.h.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/abi.h"
#include "lib/result.h"
#include "lib/time.h"
#include "tests/sim/pc_ports.h"
#include "tests/sim/scheduler.h"

struct sent_signal {
  int group;
  u32 signal;
  bool operator==(const sent_signal&) const = default;
};

// A group that no process of the session is in.
constexpr int NO_GROUP = 99;

class terminal {
 public:
  sim::pc_ports pc;
  // Of the process that calls.
  int group = 1, session = 1;
  bool is_orphan = false;
  bool accepts_stops = true;  // else it ignores SIGTTIN and SIGTTOU
  std::vector<sent_signal> signals;

  void type(std::string_view text);
  // What has been shown since the last call.
  std::string shown() { return pc.serial.take_sent(); }
  // What has been typed is not shown.
  void type_silently(std::string_view text);

  // Calls of the process. A read's text, or "errno n".
  std::string read(u32 count = 4096, u32 flags = 0);
  bool would_wait();  // a read sleeps
  result<u32> write(std::string_view text, u32 flags = 0);
  result<u32> ioctl(u32 command, void* argument, size_t size);
  abi::termios settings();
  void set(const abi::termios& settings, u32 command = abi::tcsets);
  void set_local(u32 flags);
  void set_output(u32 flags);
  void set_raw(u8 vmin, u8 vtime);
  result<u32> set_foreground(int to);
  int foreground();
};

// A read in a fiber of its own.
struct reading {
  std::string got;
  instant ended{};
  sim::fiber fiber;
  explicit reading(terminal& tty, u32 count = 4096);
};

// Boots it and calls `body`, in a world.
void with_terminal(const std::function<void(terminal&)>& body);
