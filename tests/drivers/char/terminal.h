// A machine with a console and its terminal, and a process that uses it: for the tests of tty.h.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/abi.h"
#include "lib/result.h"
#include "tests/sim/pc_ports.h"

struct sent_signal {
  int group;
  u32 signal;
  bool operator==(const sent_signal&) const = default;
};

class terminal {
 public:
  sim::pc_ports pc;
  // Of the process that calls.
  int group = 1, session = 1;
  bool is_orphan = false;
  bool stops_for_sigttin = true;  // else it ignores that signal
  std::vector<sent_signal> signals;

  void type(std::string_view text);
  // What has been shown since the last call.
  std::string shown() { return pc.serial.take_sent(); }
  // What has been typed is not shown.
  void type_silently(std::string_view text);

  // Calls of the process. A read's text, or "errno n".
  std::string read(u32 count = 4096);
  bool would_wait();  // a read sleeps
  result<u32> write(std::string_view text);
  result<u32> ioctl(u32 command, void* argument, size_t size);
  abi::termios settings();
  void set(const abi::termios& settings, u32 command = abi::tcsets);
  void set_local(u32 flags);
  void set_raw(u8 vmin, u8 vtime);
  result<u32> set_foreground(int to);
  int foreground();
};

// Boots it and calls `body`, in a world.
void with_terminal(const std::function<void(terminal&)>& body);
