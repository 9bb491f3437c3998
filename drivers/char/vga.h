// The VGA text screen: the part of a VT102 that a shell's line editor needs.
#pragma once

#include <span>

#include "lib/types.h"

class vga_screen {
 public:
  void init();
  void put(char c);
  void show_cursor();  // moves the blinking cursor to where the next character goes

 private:
  enum class parse_state : u8 { text, escape, control_sequence };

  void put_printable(char c);
  void put_control(char c);
  void begin_escape(char c);
  void continue_sequence(char c);
  void add_digit(u32 digit);
  void next_parameter();
  void finish_sequence(char command);
  void set_attributes();
  void set_attribute(u32 code);
  u32 parameter(u32 index) const;
  void move_to(int row, int column);
  void line_feed();
  void erase(u32 from, u32 to);
  void erase_in_display(u32 which);
  void erase_in_line(u32 which);
  void delete_characters(u32 count);
  void insert_characters(u32 count);
  std::span<u16> rest_of_line() const;
  u32 position() const;  // of the cursor

  u32 row_ = 0, column_ = 0;  // a column behind the last: the line is full
  u32 saved_row_ = 0, saved_column_ = 0;
  u8 colours_ = 0x07;
  parse_state state_ = parse_state::text;
  u32 parameters_[4] = {};
  u32 parameter_count_ = 0;
  bool private_sequence_ = false;
};
