// input_queue: what has been typed and not yet read. The line discipline puts characters in at one
// end, perhaps takes some of them back, and commits them; readers take committed ones.
//
// Interrupt handlers put, tasks take: every use stands under an irq_guard.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "lib/types.h"

class input_queue {
 public:
  // Appends one character to the uncommitted ones. False when the queue is full: the character is
  // dropped, but room is always left for the end of the line.
  bool put(char c);
  // Appends the end of a line, or the mark of an end of file, which was typed as `c`, and commits.
  // False when full.
  bool put_newline();
  bool put_end_of_file(char c);
  // Takes the last uncommitted character back.
  std::optional<char> erase();
  void commit() { committed_ = head_; }
  void clear() { tail_ = committed_ = head_; }

  bool readable() const { return tail_ != committed_; }
  // How many committed characters there are; a mark counts as one.
  u32 committed() const { return committed_ - tail_; }
  // Committed characters, at most to.size() of them; with `one_line` none behind a line's end, and
  // an end-of-file mark ends the taking and is not a character: no character before it means that
  // the file ends. Without it a mark is the character that was typed. Returns how many.
  u32 take(std::span<byte> to, bool one_line);

 private:
  static constexpr u32 SIZE = 2048;          // a power of two
  static constexpr u16 END_OF_FILE = 0x100;  // a bit beside the character

  u32 used() const { return head_ - tail_; }
  void skip_end_of_file();
  void append(u16 cell) { cells_[head_++ % SIZE] = cell; }

  std::array<u16, SIZE> cells_{};
  u32 tail_ = 0, committed_ = 0, head_ = 0;  // running counts; tail <= committed <= head
};
