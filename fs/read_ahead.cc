#include "fs/read_ahead.h"

#include <algorithm>

namespace {

u32 longest_window(u32 buffers) {
  return std::min(read_ahead::LONGEST_WINDOW, buffers / read_ahead::CACHE_SHARE);
}

}  // namespace

block_range read_ahead::window_at(u32 first, u32 size) {
  begin_ = first;
  end_ = first + size;
  size_ = size;
  return {begin_, end_};
}

block_range read_ahead::next_window(u32 buffers) {
  marker_ = std::max(end_, last_ + 1);
  return window_at(end_, std::min(2 * size_, longest_window(buffers)));
}

block_range read_ahead::missed(u32 block, u32 wanted, u32 buffers) {
  const u32 longest = longest_window(buffers);
  if (!follows_) {  // the reader jumped: no next window
    marker_ = NOWHERE;
    return window_at(block, std::min(wanted, longest));
  }
  // The block was prefetched and is not in the cache: its buffer was given another block, or a
  // block of the window cannot be read, which fails the command for all its blocks. Then windows
  // start again with one block.
  const bool lost = begin_ <= block && block < end_;
  const u32 first_window = std::clamp(2 * wanted, std::min(FIRST_WINDOW, longest), longest);
  const u32 size = lost ? 1 : first_window;
  // The marker is the first block behind this call, if the window reaches that far.
  marker_ = block + (wanted < size ? wanted : 1);
  return window_at(block, size);
}

void read_ahead::asked(u32 end) {
  end_ = end;
  if (follows_) marker_ = std::min(marker_, end_);
}
