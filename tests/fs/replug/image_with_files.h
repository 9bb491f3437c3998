#pragma once

#include <vector>

#include "lib/types.h"

namespace sim {

// As mkfs_minix; each block of the inode table has an empty file, "1", "2", ..., beside the root.
std::vector<byte> image_with_files(u32 blocks, u32 inodes);

}  // namespace sim
