// hal/log.h: printk writes to the console at once, and into a ring that can be read later.
#include "kernel/printk.h"

#include <algorithm>
#include <array>
#include <cstdarg>

#include "drivers/char/console.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "lib/types.h"

namespace {

constexpr u32 ring_size = 32768;
std::array<char, ring_size> ring;
u32 written = 0;  // characters ever; the ring holds the last ring_size of them
bool at_line_start = true;

void put(char c) { ring[written++ % ring_size] = c; }

void put_time() {
  std::array<char, 24> text;
  const i64 ms = now().ns / 1'000'000;
  format(text, "[%5u.%03u] ", static_cast<u32>(ms / 1000), static_cast<u32>(ms % 1000));
  for (const char* c = text.data(); *c; ++c) put(*c);
}

void keep(std::span<const char> text) {
  for (const char c : text) {
    if (at_line_start) put_time();
    at_line_start = c == '\n';
    put(c);
  }
}

}  // namespace

void printk(const char* format, ...) {
  std::array<char, 512> text;
  std::va_list arguments;
  va_start(arguments, format);
  const size_t length = format_to(text, format, arguments);
  va_end(arguments);
  const std::span<const char> shown(text.data(), std::min(length, text.size() - 1));
  irq_guard masked;
  // A message begins on a line of its own, not behind a prompt or in the middle of typed text.
  if (at_line_start && !console_at_line_start()) console_write({"\n", 1});
  keep(shown);
  console_write(shown);
}

void print_log(text_sink& out) {
  const u32 room = static_cast<u32>(out.room());
  const u32 kept = std::min({written, ring_size, room});
  for (u32 at = written - kept; at != written; ++at) out.print("%c", ring[at % ring_size]);
}
