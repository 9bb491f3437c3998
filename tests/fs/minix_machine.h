// For the tests of the file system: a world with a MINIX stick as its root. After each test the
// stick is judged by fsck.minix and by sim::minix_image.
#pragma once

#include <functional>
#include <vector>

#include "tests/fs/files.h"
#include "tests/fs/machine.h"

namespace sim {

struct disk_options {
  u32 blocks = 2048;
  u32 inodes = 64;
  u32 name_length = 30;
  u64 seed = 1;
  u32 buffers = 64;
  u32 slots = 256;
};

// Runs `body` on a fresh file system, unmounts and judges it. Returns the stick's bytes.
std::vector<byte> on_minix(const disk_options& options,
                           const std::function<void(fs_context&)>& body);
// Fails the test when fsck.minix or minix_image complains, or the stick does not say VALID.
void judge(std::span<const byte> image);

}  // namespace sim
