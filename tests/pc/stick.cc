#include "tests/pc/stick.h"

#include <cstring>

namespace pc {

stick::stick(std::vector<byte>& content) : content_(content) {
  identity.sectors = static_cast<u32>(content.size() / SECTOR_SIZE);
  identity.serial = {'p', 'c'};
  removable = true;
  media_arrived(*this);
}

stick::~stick() {
  pull();
  wait_unreferenced();
}

void stick::pull() {
  if (gone()) return;
  die();
  media_left(*this);
}

bool stick::read_fails() {
  if (failing_reads_ == 0) return false;
  if (good_reads_ > 0) return --good_reads_, false;
  return --failing_reads_, true;
}

void stick::request_fn() {
  while (request* r = next_request()) {
    if (r->cmd == block_command::read && read_fails()) {
      end_request(*r, fail(error::eio));
      continue;
    }
    byte* at = content_.data() + size_t{r->sector.value()} * SECTOR_SIZE;
    for (const buffer_head& bh : r->buffers) {
      if (r->cmd == block_command::write)
        std::memcpy(at, bh.b_data, BLOCK_SIZE);
      else
        std::memcpy(bh.b_data, at, BLOCK_SIZE);
      at += BLOCK_SIZE;
    }
    end_request(*r, {});
  }
}

}  // namespace pc
