// The simulated PC's devices: a serial line, and a screen that is not shown. Also the host's
// hal/port_io.h, hal/text_screen.h and kernel/i386/symbols.h. A port without a device reads as
// ones.
#include <array>
#include <string>

#include "hal/port_io.h"
#include "hal/text_screen.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/symbols.h"
#include "tests/pc/inside.h"

namespace {

constexpr io_port com1 = 0x3F8, interrupt_id = com1 + 2, line_control = com1 + 3,
                  line_status = com1 + 5;
constexpr u8 no_interrupt = 1, received_data_interrupt = 4, divisor_access = 0x80,
             transmitter_empty = 0x20, received_data = 1;

std::string text, typed;
bool divisor_selected = false;

u8 take_typed() {
  if (typed.empty()) return 0xFF;
  const u8 first = static_cast<u8>(typed.front());
  typed.erase(0, 1);
  return first;
}

}  // namespace

namespace pc {
const std::string& console() { return text; }
void forget_console() { text.clear(); }

void type_unseen(std::string_view keys) {
  const std::string shown = text;
  typed = keys;
  handle_irq(4);
  text = shown;
}
}  // namespace pc

u8 in8(io_port port) {
  switch (port) {
    case com1: return take_typed();
    case line_status: return transmitter_empty | (typed.empty() ? 0 : received_data);
    case interrupt_id: return typed.empty() ? no_interrupt : received_data_interrupt;
    default: return 0xFF;
  }
}
u16 in16(io_port) { return 0xFFFF; }
u32 in32(io_port) { return 0xFFFF'FFFF; }
void out8(io_port port, u8 value) {
  if (port == line_control) divisor_selected = value & divisor_access;
  if (port == com1 && !divisor_selected) text += static_cast<char>(value);
}
void out16(io_port, u16) {}
void out32(io_port, u32) {}

std::span<u16, screen_rows * screen_columns> text_screen() {
  static std::array<u16, screen_rows * screen_columns> cells;
  return cells;
}

symbol find_symbol(u32) { return {}; }
