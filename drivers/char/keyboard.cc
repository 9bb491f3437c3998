#include "drivers/char/keyboard.h"

#include <string_view>

#include "hal/irq.h"
#include "hal/port_io.h"
#include "lib/types.h"

namespace {

// The 8042 keyboard controller.
constexpr io_port data = 0x60, status = 0x64, command = 0x64;
constexpr u8 output_full = 0x01, input_full = 0x02, from_mouse = 0x20;  // status
constexpr u8 read_configuration = 0x20, write_configuration = 0x60;     // commands
constexpr u8 keyboard_interrupt_on = 0x01, keyboard_clock_off = 0x10, translate = 0x40;
constexpr u8 keyboard_line = 1;
constexpr int patience = 10'000;  // polls; each takes the bus about a microsecond
constexpr u32 most_bytes = 256;   // in one interrupt: more than a controller keeps

// Scan codes, set 1.
constexpr u8 released = 0x80, extended = 0xE0;
constexpr u8 key_ctrl = 0x1D, key_left_shift = 0x2A, key_right_shift = 0x36, key_alt = 0x38,
             key_caps_lock = 0x3A;

constexpr char plain[] = "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
constexpr char shifted[] =
    "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
static_assert(sizeof(plain) == sizeof(shifted) && sizeof(plain) == 0x3A + 1);

// Both keys of a kind count until both are released. A key that is held down repeats its code.
struct modifiers {
  u8 shift = 0, ctrl = 0, alt = 0;  // the keys that are down: left 1, right 2
  bool caps_key = false, caps_lock = false;
};
modifiers held;
bool after_extended = false;
void (*receiver)(char) = nullptr;

void type(std::string_view text) {
  for (const char c : text) receiver(c);
}

std::string_view sequence_of(u8 key) {
  switch (key) {
    case 0x48: return "\033[A";   // up
    case 0x50: return "\033[B";   // down
    case 0x4D: return "\033[C";   // right
    case 0x4B: return "\033[D";   // left
    case 0x47: return "\033[H";   // home
    case 0x4F: return "\033[F";   // end
    case 0x53: return "\033[3~";  // delete
    case 0x49: return "\033[5~";  // page up
    case 0x51: return "\033[6~";  // page down
    case 0x1C: return "\r";       // keypad enter
    case 0x35: return "/";        // keypad
    default: return {};
  }
}

void note(u8& kind, bool right, bool pressed) {
  const u8 bit = right ? 2 : 1;
  kind = static_cast<u8>(pressed ? kind | bit : kind & ~bit);
}

void note_caps_lock(bool pressed) {
  if (pressed && !held.caps_key) held.caps_lock = !held.caps_lock;
  held.caps_key = pressed;
}

// Modifiers type nothing themselves: no character stands at their place in the tables.
void note_modifier(u8 key, bool is_extended, bool pressed) {
  switch (key) {
    case key_left_shift: note(held.shift, false, pressed); break;
    case key_right_shift: note(held.shift, true, pressed); break;
    case key_ctrl: note(held.ctrl, is_extended, pressed); break;
    case key_alt: note(held.alt, is_extended, pressed); break;
    case key_caps_lock: note_caps_lock(pressed); break;
    default: break;
  }
}

void type_key(u8 key) {
  if (key >= sizeof(plain)) {
    type(sequence_of(key));  // the keypad without Num Lock
    return;
  }
  char c = plain[key];
  const bool letter = c >= 'a' && c <= 'z';
  if ((held.shift != 0) != (letter && held.caps_lock)) c = shifted[key];
  if (c == 0) return;
  if (held.ctrl && c >= '?' && c <= '~') c = static_cast<char>(c & 0x1F);
  if (held.alt) type("\033");
  type({&c, 1});
}

void handle_scan_code(u8 code) {
  if (code == extended) {
    after_extended = true;
    return;
  }
  const bool pressed = !(code & released);
  const u8 key = code & static_cast<u8>(~released);
  const bool is_extended = after_extended;
  after_extended = false;
  if (is_extended && (key == key_left_shift || key == key_right_shift)) return;  // a fake shift
  note_modifier(key, is_extended, pressed);
  if (!pressed) return;
  if (is_extended)
    type(sequence_of(key));
  else
    type_key(key);
}

// While it runs, the clock stands still. So it must end whatever the controller says: one that has
// gone away reads as ones, so that it always has a byte.
bool keyboard_interrupt(void*) {
  u32 taken = 0;
  for (; taken < most_bytes; ++taken) {
    const u8 now = in8(status);
    if (!(now & output_full)) break;
    const u8 code = in8(data);
    if (!(now & from_mouse)) handle_scan_code(code);
  }
  return taken > 0;
}

bool wait_for_status(u8 bits, u8 wanted) {
  for (int i = 0; i < patience; ++i)
    if ((in8(status) & bits) == wanted) return true;
  return false;
}

bool send(io_port port, u8 value) {
  if (!wait_for_status(input_full, 0)) return false;
  out8(port, value);
  return true;
}

void discard_output() {
  for (int i = 0; i < 64 && (in8(status) & output_full); ++i) in8(data);
}

// Most firmware has done the same already, but not all.
void switch_interrupt_on() {
  discard_output();
  if (!send(command, read_configuration) || !wait_for_status(output_full, output_full)) return;
  const u8 configuration = in8(data);
  if (!send(command, write_configuration)) return;
  send(data,
       static_cast<u8>((configuration | keyboard_interrupt_on | translate) & ~keyboard_clock_off));
}

}  // namespace

void set_keyboard_input(void (*receive)(char)) {
  receiver = receive;
  if (in8(status) == 0xFF) return;  // no controller
  switch_interrupt_on();
  (void)request_irq(keyboard_line, false, keyboard_interrupt, nullptr);
}
