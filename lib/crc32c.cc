#include "lib/crc32c.h"

#include <array>

namespace {

constexpr std::array<u32, 256> make_table() {
  std::array<u32, 256> table{};
  for (u32 i = 0; i < 256; ++i) {
    u32 crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
    table[i] = crc;
  }
  return table;
}

constexpr std::array<u32, 256> table = make_table();

}  // namespace

u32 crc32c(std::span<const byte> bytes, u32 earlier) {
  u32 crc = ~earlier;
  for (byte b : bytes) crc = table[(crc ^ static_cast<u8>(b)) & 0xFF] ^ crc >> 8;
  return ~crc;
}
