#include "tests/fs/checkpoint/numbered_stick.h"

#include <gtest/gtest.h>

#include "fs/buffer/buffer_table.h"

namespace sim {

std::vector<byte> numbered_image() {
  std::vector<byte> image(size_t{numbered_blocks} * BLOCK_SIZE);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<byte>(i / BLOCK_SIZE);
  return image;
}

void with_stick(u64 seed, const boot_options& options, const std::function<void(medium&)>& body) {
  medium stick(numbered_image());
  run(seed, [&] {
    boot(options);
    plug_as(stick, sda);
    if (::testing::Test::HasFatalFailure()) return;
    body(stick);
    check_buffer_invariants();
  });
}

void with_stick(const std::function<void(medium&)>& body) { with_stick(1, {}, body); }

u32 held() { return checkpoint::volume_of(sda) ? checkpoint::volume_of(sda)->set.size() : 0; }

}  // namespace sim
