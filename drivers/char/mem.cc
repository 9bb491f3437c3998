// /dev/null and /dev/zero: see mem.h.
#include "drivers/char/mem.h"

#include <algorithm>

#include "drivers/char/char_device.h"
#include "lib/abi.h"

namespace {

constexpr u8 MINOR_NULL = 3, MINOR_ZERO = 5;

bool mem_has(u8 minor) { return minor == MINOR_NULL || minor == MINOR_ZERO; }

result<u32> mem_read(u8 minor, std::span<byte> to, u32, u32) {
  if (minor == MINOR_NULL) return 0;
  std::fill(to.begin(), to.end(), byte{0});
  return static_cast<u32>(to.size());
}

// Whatever is written is gone.
constexpr char_device mem_device = {.read = mem_read, .has = mem_has};

}  // namespace

void mem_device_init() { register_char_device(abi::major_mem, mem_device); }
