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

bool input_queue::put_end_of_file() {
  if (used() >= SIZE) return false;
  append(END_OF_FILE);
  commit();
  return true;
}

std::optional<char> input_queue::erase() {
  if (head_ == committed_) return {};
  return static_cast<char>(cells_[--head_ % SIZE]);
}

u32 input_queue::take(std::span<byte> to, bool one_line) {
  u32 taken = 0;
  while (taken < to.size() && readable()) {
    const u16 cell = cells_[tail_++ % SIZE];
    if (cell == END_OF_FILE) break;
    to[taken++] = static_cast<byte>(cell);
    if (one_line && cell == '\n') break;
  }
  return taken;
}
