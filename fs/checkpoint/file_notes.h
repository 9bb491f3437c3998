// file_notes: the files with data in a volume's set, so that a loss can be reported by file names.
// The file system supplies inode number and path; the checkpoint only stores them.
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
  // Notes a file, once, by the path that it has now; a path is cut to 63 characters. When the array
  // is full, further files are not noted. Never sleeps.
  void add(dev_id dev, ino_nr inode, const char* path);
  void clear() { count_ = 0; }
  std::span<const file_note> all() const { return std::span(notes_).first(count_); }

 private:
  std::array<file_note, 64> notes_{};
  u32 count_ = 0;
};

}  // namespace checkpoint
