// crc32c and sector_hash.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>
#include <string_view>

#include "lib/crc32c.h"
#include "lib/sector_hash.h"

namespace {

std::span<const byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// RFC 3720, B.4, and the check value of the catalogue of CRCs.
TEST(crc32c, known_values) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c({}), 0u);
  std::array<byte, 32> bytes{};
  EXPECT_EQ(crc32c(bytes), 0x8A9136AAu);
  bytes.fill(byte{0xFF});
  EXPECT_EQ(crc32c(bytes), 0x62A8AB43u);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<byte>(i);
  EXPECT_EQ(crc32c(bytes), 0x46DD794Eu);
}

TEST(crc32c, goes_on_where_it_ended) {
  const std::string_view text = "The stick may be pulled at any moment.";
  for (size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(crc32c(as_bytes(text.substr(cut)), crc32c(as_bytes(text.substr(0, cut)))),
              crc32c(as_bytes(text)));
}

using sector = std::array<byte, SECTOR_SIZE>;

sector random_sector(std::mt19937& random) {
  sector s;
  for (byte& b : s) b = static_cast<byte>(random());
  return s;
}

// NH of RFC 4418, 5.2.2, with SplitMix64's key, worked out by an independent program.
TEST(sector_hash, known_values) {
  sector zeros{}, ones, numbers;
  ones.fill(byte{0xFF});
  for (size_t i = 0; i < SECTOR_SIZE; ++i) numbers[i] = static_cast<byte>(7 * i + 3 * (i / 256));
  EXPECT_EQ(sector_hasher(0)(zeros), 0xBF1C1F7444965BD9u);
  EXPECT_EQ(sector_hasher(0)(numbers), 0x651F0919E65278A4u);
  EXPECT_EQ(sector_hasher(0)(ones), 0xBF1C1F337FD95802u);
  EXPECT_EQ(sector_hasher(1234567)(zeros), 0xEA62A8572E99DF44u);
  EXPECT_EQ(sector_hasher(1234567)(numbers), 0x5279D39235684FDEu);
  EXPECT_EQ(sector_hasher(1234567)(ones), 0xEA62A816DC0DD8CEu);
}

TEST(sector_hash, same_key_same_content_same_hash) {
  std::mt19937 random(1);
  const sector s = random_sector(random);
  EXPECT_EQ(sector_hasher(5)(s), sector_hasher(5)(s));
}

TEST(sector_hash, another_key_another_hash) {
  std::mt19937 random(1);
  const sector s = random_sector(random);
  EXPECT_NE(sector_hasher(5)(s), sector_hasher(6)(s));
}

TEST(sector_hash, sees_every_flipped_bit) {
  std::mt19937 random(2);
  const sector_hasher hash(0x5EED);
  sector s = random_sector(random);
  const u64 before = hash(s);
  for (size_t bit = 0; bit < 8 * SECTOR_SIZE; ++bit) {
    s[bit / 8] ^= static_cast<byte>(1u << bit % 8);
    EXPECT_NE(hash(s), before) << "bit " << bit;
    s[bit / 8] ^= static_cast<byte>(1u << bit % 8);
  }
}

TEST(sector_hash, sees_words_that_change_places) {
  std::mt19937 random(3);
  const sector_hasher hash(7);
  sector s = random_sector(random);
  const u64 before = hash(s);
  for (size_t i = 0; i + 8 <= SECTOR_SIZE; i += 4) {
    std::swap_ranges(s.begin() + static_cast<int>(i), s.begin() + static_cast<int>(i) + 4,
                     s.begin() + static_cast<int>(i) + 4);
    EXPECT_NE(hash(s), before) << "word " << i / 4;
    std::swap_ranges(s.begin() + static_cast<int>(i), s.begin() + static_cast<int>(i) + 4,
                     s.begin() + static_cast<int>(i) + 4);
  }
}

TEST(sector_hash, thousands_of_similar_sectors_differ) {
  const sector_hasher hash(11);
  std::set<u64> seen;
  sector s{};
  for (int i = 0; i < 20000; ++i) {
    s[0] = static_cast<byte>(i);
    s[1] = static_cast<byte>(i >> 8);
    EXPECT_TRUE(seen.insert(hash(s)).second) << i;
  }
}

}  // namespace
