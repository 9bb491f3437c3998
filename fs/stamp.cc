#include "fs/stamp.h"

#include <algorithm>
#include <cstring>

#include "hal/clock.h"
#include "lib/crc32c.h"

namespace {

constexpr std::array<char, 8> MAGIC{'R', 'E', 'P', 'L', 'U', 'G', '0', '1'};

u32 crc_of(const d_stamp& stamp) {
  return crc32c(std::as_bytes(std::span(&stamp, 1)).first(offsetof(d_stamp, crc)));
}

// Numbers that are hardly ever drawn twice, on this machine or on another: from the time of day,
// the time since boot in nanoseconds, and a counter. SplitMix64 spreads them.
u32 draw() {
  static constinit u64 state = 0;
  state += 0x9E3779B97F4A7C15u ^ static_cast<u64>(now().ns) ^ u64 { current_time() } << 32;
  u64 z = state;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return static_cast<u32>(z >> 32);
}

}  // namespace

std::optional<d_stamp> stamp_in(std::span<const byte, BLOCK_SIZE> super) {
  d_stamp stamp;
  std::memcpy(&stamp, super.data() + STAMP_OFFSET, sizeof(stamp));
  if (stamp.magic != MAGIC || stamp.crc != crc_of(stamp)) return std::nullopt;
  return stamp;
}

d_stamp next_stamp(const std::optional<d_stamp>& last) {
  d_stamp stamp{};
  stamp.magic = MAGIC;
  for (u32 i = 0; i < stamp.uuid.size(); ++i) stamp.uuid[i] = last ? last->uuid[i] : le32(draw());
  stamp.generation = last ? last->generation + 1u : 1u;
  for (le32& word : stamp.nonce) word = draw();
  stamp.crc = crc_of(stamp);
  return stamp;
}

bool same_file_system(const d_stamp& a, const d_stamp& b) {
  return std::ranges::equal(a.uuid, b.uuid,
                            [](const le32& x, const le32& y) { return u32{x} == u32{y}; });
}

bool same_mount(const d_stamp& a, const d_stamp& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }
