// For tests of the checkpoint on bare blocks: a stick without a file system, whose block n is
// filled with n.
#pragma once

#include <functional>

#include "tests/fs/machine.h"

namespace sim {

constexpr u32 numbered_blocks = 512;
constexpr u32 least_slots = 128;  // of a region

std::vector<byte> numbered_image();

// A world with such a stick, live as /dev/sda.
void with_stick(u64 seed, const boot_options& options, const std::function<void(medium&)>& body);
void with_stick(const std::function<void(medium&)>& body);

// How many blocks are held for /dev/sda.
u32 held();

}  // namespace sim
