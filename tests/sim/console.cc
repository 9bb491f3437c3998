// The host's hal/log.h, hal/panic.h and hal/text_screen.h.
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "hal/log.h"
#include "hal/panic.h"
#include "hal/text_screen.h"
#include "lib/format.h"
#include "tests/sim/world_state.h"

namespace {

std::string formatted(const char* format, std::va_list arguments) {
  std::array<char, 1024> text;
  format_to(text, format, arguments);
  return text.data();
}

}  // namespace

void printk(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const std::string text = formatted(format, arguments);
  va_end(arguments);
  if (sim::inside_world()) sim::state_here().console += text;
}

namespace {

void stop_world(const std::string& message) {
  if (!sim::inside_world() || !sim::state_here().current) {
    std::fprintf(stderr, "panic outside of a task: %s\n", message.c_str());
    std::abort();
  }
  sim::world::state& s = sim::state_here();
  s.panicked = true;
  s.panic_message = message;
  if (s.chosen.expect_panic)
    s.stopped = true;
  else
    s.fail("panic in " + s.current->name + ": " + message);
}

}  // namespace

// The fiber that panics never runs again, as on the machine: nothing that it was doing is undone.
void panic(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  stop_world(formatted(format, arguments));
  va_end(arguments);
  sim::state_here().switch_away(true);
  std::abort();
}

// This screen is not shown; the text of printk is kept above.
std::span<u16, screen_rows * screen_columns> text_screen() {
  static std::array<u16, screen_rows * screen_columns> cells;
  return cells;
}
