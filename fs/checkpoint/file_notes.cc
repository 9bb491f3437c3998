#include "fs/checkpoint/file_notes.h"

#include <algorithm>
#include <cstring>

namespace checkpoint {

void file_notes::add(dev_id dev, ino_nr inode, const char* path) {
  u32 index = 0;
  while (index < count_ && (notes_[index].inode != inode || notes_[index].dev != dev)) ++index;
  if (index == notes_.size()) return;
  count_ = std::max(count_, index + 1);
  file_note& note = notes_[index];
  note = {dev, inode, {}};
  std::copy_n(path, std::min(std::strlen(path), note.path.size() - 1), note.path.begin());
}

}  // namespace checkpoint
