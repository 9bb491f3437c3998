#include "tests/sim/kernel_state.h"

#include <vector>

#include "lib/types.h"

extern "C" byte kernel_state_start[], kernel_state_end[];

namespace sim {
namespace {

// Copies word by word and without checks, because the red zones between the variables are copied,
// too.
__attribute__((no_sanitize("address", "undefined"))) void copy_unchecked(const byte* from, byte* to,
                                                                         size_t length) {
  const auto* source = reinterpret_cast<const u64*>(from);
  auto* target = reinterpret_cast<volatile u64*>(to);
  for (size_t i = 0; i < length / sizeof(u64); ++i) target[i] = source[i];
}

size_t state_size() { return static_cast<size_t>(kernel_state_end - kernel_state_start); }

// Static constructors of the product do no work (docs/design.md, The language), so this one may run
// before or after them.
struct boot_copy {
  std::vector<byte> bytes = std::vector<byte>(state_size());
  boot_copy() { copy_unchecked(kernel_state_start, bytes.data(), bytes.size()); }
};
const boot_copy at_start;

}  // namespace

void restore_kernel_state() {
  copy_unchecked(at_start.bytes.data(), kernel_state_start, at_start.bytes.size());
}

}  // namespace sim
