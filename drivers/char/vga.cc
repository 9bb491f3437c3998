#include "drivers/char/vga.h"

#include <algorithm>

#include "hal/port_io.h"
#include "hal/text_screen.h"
#include "lib/types.h"

namespace {

constexpr u8 default_colours = 0x07;  // light grey on black
constexpr io_port crtc_index = 0x3D4, crtc_data = 0x3D5;
constexpr u8 cursor_high = 14, cursor_low = 15;
constexpr u32 tab_width = 8;
constexpr char escape = '\033';

constexpr u16 cell(char c, u8 colours) {
  return static_cast<u16>(static_cast<u8>(c) | colours << 8);
}

// In the screen's colour numbers red and blue are exchanged, compared to ANSI's.
constexpr u8 ansi_colour(u32 n) { return static_cast<u8>((n & 1) << 2 | (n & 2) | (n & 4) >> 2); }

}  // namespace

void vga_screen::init() {
  erase(0, screen_rows * screen_columns);
  show_cursor();
}

void vga_screen::put(char c) {
  switch (state_) {
    case parse_state::text:
      static_cast<u8>(c) >= ' ' && c != 127 ? put_printable(c) : put_control(c);
      break;
    case parse_state::escape: begin_escape(c); break;
    case parse_state::control_sequence: continue_sequence(c); break;
  }
}

void vga_screen::show_cursor() {
  const u32 at = position();
  out8(crtc_index, cursor_high);
  out8(crtc_data, static_cast<u8>(at >> 8));
  out8(crtc_index, cursor_low);
  out8(crtc_data, static_cast<u8>(at));
}

// A full line wraps only when another character comes, as on a VT102. Until then the cursor stands
// on its last character.
void vga_screen::put_printable(char c) {
  if (column_ >= screen_columns) {
    column_ = 0;
    line_feed();
  }
  text_screen()[position()] = cell(c, colours_);
  ++column_;
}

void vga_screen::put_control(char c) {
  switch (c) {
    case '\n': line_feed(); break;
    case '\r': column_ = 0; break;
    case '\b': column_ -= column_ > 0; break;
    case '\t': column_ = std::min((column_ / tab_width + 1) * tab_width, screen_columns - 1); break;
    case escape: state_ = parse_state::escape; break;
    default: break;
  }
}

void vga_screen::begin_escape(char c) {
  state_ = parse_state::text;
  switch (c) {
    case '[':
      state_ = parse_state::control_sequence;
      std::ranges::fill(parameters_, 0u);
      parameter_count_ = 0;
      private_sequence_ = false;
      break;
    case '7':
      saved_row_ = row_;
      saved_column_ = column_;
      break;
    case '8': move_to(static_cast<int>(saved_row_), static_cast<int>(saved_column_)); break;
    case 'D': line_feed(); break;
    case 'E':
      column_ = 0;
      line_feed();
      break;
    case 'c':
      colours_ = default_colours;
      erase_in_display(2);
      move_to(0, 0);
      break;
    case escape: state_ = parse_state::escape; break;  // it cuts the first one off
    default: break;
  }
}

void vga_screen::continue_sequence(char c) {
  if (c >= '0' && c <= '9') {
    add_digit(static_cast<u32>(c - '0'));
  } else if (c == ';') {
    next_parameter();
  } else if (c == '?') {
    private_sequence_ = true;
  } else if (c >= '@' && c <= '~') {
    state_ = parse_state::text;
    next_parameter();
    if (!private_sequence_) finish_sequence(c);
  } else if (static_cast<u8>(c) < ' ') {
    put_control(c);
  }
}

// Parameters for which there is no place are left out.
void vga_screen::add_digit(u32 digit) {
  if (parameter_count_ == std::size(parameters_)) return;
  u32& value = parameters_[parameter_count_];
  value = std::min(value * 10 + digit, 9999u);
}

void vga_screen::next_parameter() {
  if (parameter_count_ < std::size(parameters_)) ++parameter_count_;
}

void vga_screen::finish_sequence(char command) {
  const int row = static_cast<int>(row_), column = static_cast<int>(column_);
  const int count = static_cast<int>(parameter(0));
  switch (command) {
    case 'A': move_to(row - count, column); break;
    case 'B': move_to(row + count, column); break;
    case 'C': move_to(row, column + count); break;
    case 'D': move_to(row, column - count); break;
    case 'G': move_to(row, count - 1); break;
    case 'd': move_to(count - 1, column); break;
    case 'H':
    case 'f': move_to(count - 1, static_cast<int>(parameter(1)) - 1); break;
    case 'J': erase_in_display(parameters_[0]); break;
    case 'K': erase_in_line(parameters_[0]); break;
    case 'P': delete_characters(parameter(0)); break;
    case '@': insert_characters(parameter(0)); break;
    case 'm': set_attributes(); break;
    default: break;
  }
}

// A count or a place: one that is absent or 0 means 1.
u32 vga_screen::parameter(u32 index) const { return std::max(parameters_[index], 1u); }

void vga_screen::set_attributes() {
  for (u32 i = 0; i < parameter_count_; ++i) set_attribute(parameters_[i]);
}

void vga_screen::set_attribute(u32 code) {
  if (code == 0) {
    colours_ = default_colours;
  } else if (code == 1) {
    colours_ |= 0x08;
  } else if (code == 7) {
    colours_ = static_cast<u8>((colours_ & 0x88) | (colours_ & 7) << 4 | (colours_ >> 4 & 7));
  } else if (code >= 30 && code <= 37) {
    colours_ = static_cast<u8>((colours_ & 0xF8) | ansi_colour(code - 30));
  } else if (code >= 40 && code <= 47) {
    colours_ = static_cast<u8>((colours_ & 0x8F) | ansi_colour(code - 40) << 4);
  }
}

void vga_screen::move_to(int row, int column) {
  row_ = static_cast<u32>(std::clamp(row, 0, static_cast<int>(screen_rows) - 1));
  column_ = static_cast<u32>(std::clamp(column, 0, static_cast<int>(screen_columns) - 1));
}

void vga_screen::line_feed() {
  if (row_ + 1 < screen_rows) {
    ++row_;
    return;
  }
  const auto screen = text_screen();
  std::copy(screen.begin() + screen_columns, screen.end(), screen.begin());
  erase((screen_rows - 1) * screen_columns, screen_rows * screen_columns);
}

void vga_screen::erase(u32 from, u32 to) {
  std::ranges::fill(text_screen().subspan(from, to - from), cell(' ', default_colours));
}

void vga_screen::erase_in_display(u32 which) {
  if (which == 0) erase(position(), screen_rows * screen_columns);
  if (which == 1) erase(0, position() + 1);
  if (which == 2) erase(0, screen_rows * screen_columns);
}

void vga_screen::erase_in_line(u32 which) {
  const u32 line = row_ * screen_columns;
  if (which == 0) erase(position(), line + screen_columns);
  if (which == 1) erase(line, position() + 1);
  if (which == 2) erase(line, line + screen_columns);
}

void vga_screen::delete_characters(u32 count) {
  const auto rest = rest_of_line();
  count = std::min(count, static_cast<u32>(rest.size()));
  std::ranges::copy(rest.subspan(count), rest.begin());
  std::ranges::fill(rest.last(count), cell(' ', default_colours));
}

void vga_screen::insert_characters(u32 count) {
  const auto rest = rest_of_line();
  count = std::min(count, static_cast<u32>(rest.size()));
  std::ranges::copy_backward(rest.first(rest.size() - count), rest.end());
  std::ranges::fill(rest.first(count), cell(' ', default_colours));
}

std::span<u16> vga_screen::rest_of_line() const {
  return text_screen().subspan(position(), (row_ + 1) * screen_columns - position());
}

u32 vga_screen::position() const {
  return row_ * screen_columns + std::min(column_, screen_columns - 1);
}
