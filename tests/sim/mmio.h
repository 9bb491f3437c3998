// Simulated device registers: a window of hal/mmio.h reads and writes an object of a class derived
// from mmio_model.
#pragma once

#include "lib/ids.h"
#include "lib/types.h"

namespace sim {

struct mmio_model {
  virtual ~mmio_model() = default;
  virtual u32 read32(u32 offset) = 0;
  virtual void write32(u32 offset, u32 value) = 0;
};

// Puts `model` at a bus address as long as this object exists.
class [[nodiscard]] mmio_region {
 public:
  mmio_region(phys_addr address, u32 size, mmio_model& model);
  ~mmio_region();
  mmio_region(const mmio_region&) = delete;
  mmio_region& operator=(const mmio_region&) = delete;

 private:
  phys_addr address_;
};

}  // namespace sim
