#include "fs/checkpoint/file_notes.h"

#include <algorithm>
#include <cstring>

namespace checkpoint {

void file_notes::add(dev_id dev, ino_nr inode, const char* path) {
  const auto is_this_file = [&](const file_note& f) { return f.inode == inode && f.dev == dev; };
  if (count_ == notes_.size() || (count_ > 0 && is_this_file(notes_[count_ - 1]))) return;
  if (std::ranges::any_of(all(), is_this_file)) return;
  file_note& note = notes_[count_++];
  note = {dev, inode, {}};
  std::copy_n(path, std::min(std::strlen(path), note.path.size() - 1), note.path.begin());
}

}  // namespace checkpoint
