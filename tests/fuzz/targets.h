// What is fuzzed: the places at which the kernel reads what a device or a disk says. `make fuzz`
// runs them under libFuzzer on a machine of one task (machine.cc), `make test` on the simulated
// machine with what stands in corpus/ and with some random inputs (fuzz_test.cc).
#pragma once

#include <span>
#include <string_view>

#include "lib/types.h"

namespace fuzz {

struct target {
  std::string_view name;
  // Once after the boot of the machine.
  void (*begin)();
  // Takes any bytes. What the kernel must not do with them is a panic, a failed `demand`, or an
  // access that AddressSanitizer sees.
  void (*run)(std::span<const byte> bytes);
};

std::span<const target> targets();

extern const target descriptors, status_wrappers, scsi_data, partition_tables, minix_images;

// Panics when the condition does not hold.
void demand(bool condition, const char* what);

}  // namespace fuzz
