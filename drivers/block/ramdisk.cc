#include "drivers/block/ramdisk.h"

#include <cstring>
#include <new>

#include "drivers/block/genhd.h"

namespace {

class ramdisk final : public block_device {
 public:
  explicit ramdisk(std::span<byte> memory) : memory_(memory) {
    identity.sectors = static_cast<u32>(memory.size() / SECTOR_SIZE);
    max_sectors = identity.sectors;
  }

 private:
  // Copying needs no interrupt: every request is complete when this returns.
  void request_fn() override {
    while (request* r = next_request()) {
      size_t at = size_t{r->sector.value()} * SECTOR_SIZE;
      for (buffer_head& bh : r->buffers) {
        copy(r->cmd, bh, at);
        at += BLOCK_SIZE;
      }
      end_request(*r, {});
    }
  }

  void copy(block_command cmd, buffer_head& bh, size_t at) {
    if (cmd == block_command::read)
      std::memcpy(bh.b_data, memory_.data() + at, BLOCK_SIZE);
    else
      std::memcpy(memory_.data() + at, bh.b_data, BLOCK_SIZE);
  }

  std::span<byte> memory_;
};

alignas(ramdisk) byte storage[sizeof(ramdisk)];

}  // namespace

void rd_init(std::span<byte> memory) { set_ramdisk(*new (storage) ramdisk(memory)); }
