#include "fs/checkpoint/file_notes.h"

#include <utility>

namespace checkpoint {

namespace {

constinit u32 last_number = 0;

}  // namespace

file_notes::note_index file_notes::find(dev_id dev, ino_nr inode) const {
  note_index i = newest_[inode.value() % MAX_NOTES];
  while (i < MAX_NOTES && !(notes_[i].inode == inode && notes_[i].dev == dev)) i = older_[i];
  return i;
}

void file_notes::add(dev_id dev, ino_nr inode, noted_path& path) {
  if (number_ == 0) {
    number_ = ++last_number;
    newest_.fill(MAX_NOTES);
  }
  if (path.noted_in == number_) return;
  path.noted_in = number_;
  note_index index = find(dev, inode);
  if (index == MAX_NOTES) {
    if (count_ == MAX_NOTES) return;
    index = static_cast<note_index>(count_++);
    older_[index] = std::exchange(newest_[inode.value() % MAX_NOTES], index);
  }
  notes_[index] = {dev, inode, path.text};
}

}  // namespace checkpoint
