#include "fs/checkpoint/file_notes.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace checkpoint {

void file_notes::add(dev_id dev, ino_nr inode, const char* path) {
  const auto is_noted = [&](u32 i) { return notes_[i].inode == inode && notes_[i].dev == dev; };
  // The newest one first: mostly it is the file of the last change.
  u32 index = count_ > 0 && is_noted(count_ - 1) ? count_ - 1 : 0;
  while (index < count_ && !is_noted(index)) ++index;
  if (index == notes_.size()) return;
  file_note& note = notes_[index];
  if (index < count_ && std::string_view(note.path.data()) == path) return;
  count_ = std::max(count_, index + 1);
  note = {dev, inode, {}};
  std::copy_n(path, std::min(std::strlen(path), note.path.size() - 1), note.path.begin());
}

}  // namespace checkpoint
