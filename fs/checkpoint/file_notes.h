// file_notes: the files with data in a volume's set, so that a loss can be reported by file names.
// The file system supplies inode number and path; the checkpoint only stores them.
#pragma once

#include <array>
#include <span>

#include "lib/ids.h"

namespace checkpoint {

// A path that its file keeps, and the notes that have it.
struct noted_path {
  std::array<char, 64> text{};  // ends with '\0'
  u32 noted_in = 0;             // the number of the notes; 0: none
};

struct file_note {
  dev_id dev;
  ino_nr inode;
  std::array<char, 64> path{};
};

class file_notes {
 public:
  // Notes a file, once, by the path that it has now. When the array is full, further files are not
  // noted. Never sleeps. It is called with every change of a file: a path that these notes have
  // costs no search.
  void add(dev_id dev, ino_nr inode, noted_path& path);
  void clear() { count_ = number_ = 0; }
  std::span<const file_note> all() const { return std::span(notes_).first(count_); }

 private:
  static constexpr u32 MAX_NOTES = 64;
  using note_index = u8;  // MAX_NOTES: none

  note_index find(dev_id dev, ino_nr inode) const;

  std::array<file_note, MAX_NOTES> notes_{};
  // The notes of the inode numbers with the same remainder are a chain.
  std::array<note_index, MAX_NOTES> newest_{};  // by the remainder
  std::array<note_index, MAX_NOTES> older_{};   // by the note
  u32 count_ = 0;
  u32 number_ = 0;  // of these notes, since they were cleared; 0: there was nothing to note
};

}  // namespace checkpoint
