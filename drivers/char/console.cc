#include "drivers/char/console.h"

#include <algorithm>

#include "drivers/char/keyboard.h"
#include "drivers/char/serial.h"
#include "drivers/char/vga.h"
#include "hal/irq.h"

namespace {

vga_screen screen;

bool line_start = true;

// Text is printed in pieces of this size; between two pieces interrupts are let in. Their handlers
// print, too.
constexpr size_t piece_size = 256;

void write_unchanged_piece(std::span<const char> text) {
  irq_guard masked;
  line_start = text.back() == '\n';
  for (const char c : text) screen.put(c);
  serial_write(text);
  screen.show_cursor();
}

// At least one character. A bare LF, as the kernel prints it, goes to the start of the next line.
// The serial line gets CR LF.
void write_piece(std::span<const char> text) {
  irq_guard masked;
  line_start = text.back() == '\n';
  while (!text.empty()) {
    const auto line_end = std::ranges::find(text, '\n');
    const auto line = text.first(static_cast<size_t>(line_end - text.begin()));
    for (const char c : line) screen.put(c);
    serial_write(line);
    text = text.subspan(line.size());
    if (text.empty()) break;
    screen.put('\r');
    screen.put('\n');
    serial_write({"\r\n", 2});
    text = text.subspan(1);
  }
  screen.show_cursor();
}

void write_in_pieces(std::span<const char> text, void (*write)(std::span<const char> piece)) {
  while (!text.empty()) {
    const auto piece = text.first(std::min(text.size(), piece_size));
    write(piece);
    text = text.subspan(piece.size());
  }
}

}  // namespace

void console_init() {
  serial_init();
  screen.init();
}

bool console_at_line_start() { return line_start; }

void console_write(std::span<const char> text) { write_in_pieces(text, write_piece); }

void console_write_unchanged(std::span<const char> text) {
  write_in_pieces(text, write_unchanged_piece);
}

bool console_has_room() { return serial_has_room(); }

bool wait_for_console() { return serial_wait_for_room(); }

void console_panic() { serial_panic(); }

void set_console_input(void (*receive)(char)) {
  set_keyboard_input(receive);
  set_serial_input(receive);
}
