// machine.h on the simulated machine.
#include "tests/fuzz/machine.h"
#include "tests/sim/memory.h"

namespace fuzz {

std::span<byte> memory_at(const dma_segment& segment) {
  return {sim::memory().at(segment.address, segment.length), segment.length};
}

}  // namespace fuzz
