#include "tests/fuzz/targets.h"

#include <array>

#include "hal/panic.h"

namespace fuzz {

std::span<const target> targets() {
  static const std::array all = {descriptors, status_wrappers, scsi_data, partition_tables,
                                 minix_images};
  return all;
}

void demand(bool condition, const char* what) {
  if (!condition) panic("%s", what);
}

}  // namespace fuzz
