// What the fuzzers ask of the machine that they run on.
#pragma once

#include <span>

#include "hal/dma.h"

namespace fuzz {

// The memory that a device reaches at this address.
std::span<byte> memory_at(const dma_segment& segment);

}  // namespace fuzz
