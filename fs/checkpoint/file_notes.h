// file_notes: whose data stands in a volume's set, for the day on which a loss must be told by
// name. A note is a number and a text that the file system gives; it means nothing here.
#pragma once

#include <array>
#include <span>

#include "lib/ids.h"

namespace checkpoint {

struct file_note {
  dev_id dev;
  ino_nr inode;
  std::array<char, 64> path{};
};

class file_notes {
 public:
  // Notes a file, once. Beyond the array's end files are not noted. Never sleeps.
  void add(dev_id dev, ino_nr inode, const char* path);
  void clear() { count_ = 0; }
  std::span<const file_note> all() const { return std::span(notes_).first(count_); }

 private:
  std::array<file_note, 64> notes_{};
  u32 count_ = 0;
};

}  // namespace checkpoint
