#include "drivers/char/input_queue.h"

bool input_queue::put(char c) {
  if (used() >= SIZE - 1) return false;
  append(static_cast<u8>(c));
  return true;
}

bool input_queue::put_newline() {
  if (used() >= SIZE) return false;
  append('\n');
  commit();
  return true;
}

bool input_queue::put_end_of_file(char c) {
  if (used() >= SIZE) return false;
  append(END_OF_FILE | static_cast<u8>(c));
  commit();
  return true;
}

std::optional<char> input_queue::erase() {
  if (head_ == committed_) return {};
  return static_cast<char>(cells_[--head_ % SIZE]);
}

// An end of file behind a part of a line only hands that part out. It must not end the next read,
// too, when the part fills the reader's buffer to the last byte.
void input_queue::skip_end_of_file() {
  if (readable() && (cells_[tail_ % SIZE] & END_OF_FILE)) ++tail_;
}

u32 input_queue::take(std::span<byte> to, bool one_line) {
  u32 taken = 0;
  while (taken < to.size() && readable()) {
    const u16 cell = cells_[tail_++ % SIZE];
    if (one_line && (cell & END_OF_FILE)) break;
    to[taken++] = static_cast<byte>(cell);
    if (one_line && cell == '\n') return taken;
  }
  if (one_line && taken > 0 && taken == to.size()) skip_end_of_file();
  return taken;
}
