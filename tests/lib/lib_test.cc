// The small headers of lib/: endian types, bit fields, strong ids, results, times, guards.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>

#include "lib/bits.h"
#include "lib/endian.h"
#include "lib/guard.h"
#include "lib/ids.h"
#include "lib/moved_pointer.h"
#include "lib/result.h"
#include "lib/time.h"

namespace {

template <class Ordered>
std::array<u8, sizeof(Ordered)> bytes_of(Ordered value) {
  return std::bit_cast<std::array<u8, sizeof(Ordered)>>(value);
}

TEST(endian, little_stands_low_byte_first) {
  EXPECT_EQ(bytes_of(le16(0x1234)), (std::array<u8, 2>{0x34, 0x12}));
  EXPECT_EQ(bytes_of(le32(0x12345678)), (std::array<u8, 4>{0x78, 0x56, 0x34, 0x12}));
  EXPECT_EQ(bytes_of(le64(0x0102030405060708)), (std::array<u8, 8>{8, 7, 6, 5, 4, 3, 2, 1}));
}

TEST(endian, big_stands_high_byte_first) {
  EXPECT_EQ(bytes_of(be16(0x1234)), (std::array<u8, 2>{0x12, 0x34}));
  EXPECT_EQ(bytes_of(be32(0x12345678)), (std::array<u8, 4>{0x12, 0x34, 0x56, 0x78}));
  EXPECT_EQ(bytes_of(be64(0x0102030405060708)), (std::array<u8, 8>{1, 2, 3, 4, 5, 6, 7, 8}));
}

template <class Ordered, class Plain>
void expect_round_trip() {
  for (int bit = 0; bit < static_cast<int>(8 * sizeof(Plain)); ++bit) {
    const Plain value = static_cast<Plain>(Plain{1} << bit);
    EXPECT_EQ(static_cast<Plain>(Ordered(value)), value);
    EXPECT_EQ(static_cast<Plain>(Ordered(static_cast<Plain>(~value))), static_cast<Plain>(~value));
  }
}

TEST(endian, every_bit_comes_back) {
  expect_round_trip<le16, u16>();
  expect_round_trip<le32, u32>();
  expect_round_trip<le64, u64>();
  expect_round_trip<be16, u16>();
  expect_round_trip<be32, u32>();
  expect_round_trip<be64, u64>();
}

TEST(endian, has_no_alignment) {
  struct packed {
    u8 first;
    be64 second;
    le16 third;
  };
  EXPECT_EQ(sizeof(packed), 11u);
}

TEST(field, one_bit) {
  using reset = field<4>;
  EXPECT_EQ(reset::mask, 0x10u);
  EXPECT_TRUE(reset::in(0x30));
  EXPECT_FALSE(reset::in(0x20));
  EXPECT_EQ(reset::of(1), 0x10u);
}

TEST(field, replaces_only_itself) {
  using size = field<31, 16>;
  const u32 word = 0xAAAA5555;
  EXPECT_EQ(size::get(word), 0xAAAAu);
  EXPECT_EQ(size::set(word, 0x1234), 0x12345555u);
  EXPECT_EQ(size::of(0x12345), 0x23450000u) << "what does not fit is cut";
}

TEST(field, whole_words) {
  EXPECT_EQ((field<31, 0>::mask), 0xFFFFFFFFu);
  EXPECT_EQ((field<63, 0, u64>::mask), ~u64{0});
  EXPECT_EQ((field<63, 32, u64>::get(0x1234567800000000)), 0x12345678u);
}

TEST(strong_id, moves_by_counts_and_compares) {
  const block_nr seven{7};
  EXPECT_EQ((seven + 3).value(), 10u);
  EXPECT_EQ((seven - 2).value(), 5u);
  EXPECT_EQ(block_nr{9} - seven, 2u);
  EXPECT_LT(seven, block_nr{8});
  block_nr next = seven;
  EXPECT_EQ(++next, block_nr{8});
  EXPECT_EQ(next.value(), 8u);
}

TEST(dev_id, no_device_is_major_0_minor_0_alone) {
  EXPECT_TRUE(dev_id(0, 1));
  EXPECT_TRUE(dev_id(1, 0));
  EXPECT_FALSE(dev_id(0, 0));
  for (u32 value = 0; value < 0x10000; value += 0x111) {
    const dev_id each(static_cast<u8>(value >> 8), static_cast<u8>(value));
    EXPECT_EQ(each.value(), value);
    EXPECT_EQ(each.major(), value >> 8);
    EXPECT_EQ(each.minor(), value & 0xFF);
  }
}

TEST(strong_id, has_no_implicit_ways) {
  static_assert(!std::is_convertible_v<u32, block_nr>);
  static_assert(!std::is_convertible_v<block_nr, u32>);
  static_assert(!std::is_convertible_v<block_nr, lba>);
  static_assert(!std::is_constructible_v<block_nr, lba>);
}

TEST(dev_id, major_and_minor) {
  const dev_id sda1(8, 1);
  EXPECT_EQ(sda1.value(), 0x801);
  EXPECT_EQ(sda1.major(), 8);
  EXPECT_EQ(sda1.minor(), 1);
  EXPECT_TRUE(sda1);
  EXPECT_FALSE(dev_id());
}

result<int> half(int n) {
  if (n % 2) return fail(error::einval);
  return n / 2;
}
result<int> quarter(int n) {
  const int once = TRY(half(n));
  return TRY(half(once));
}

TEST(result, try_passes_errors_on) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error(), error::einval);
  EXPECT_EQ(to_errno(error::enospc), 28);
}

TEST(field, the_lowest_bit) {
  EXPECT_TRUE(field<0>::in(1));
  EXPECT_FALSE(field<0>::in(2));
  EXPECT_TRUE((field<1, 0>::in(1)));
  EXPECT_EQ((field<7, 7, u8>::of(1)), 0x80);
}

TEST(moved_pointer, is_left_null) {
  int value = 7;
  moved_pointer<int> first(&value);
  EXPECT_TRUE(first);
  EXPECT_EQ(*first, 7);
  const moved_pointer<int> second(std::move(first));
  EXPECT_TRUE(second);
  EXPECT_FALSE(first);
  EXPECT_FALSE(moved_pointer<int>(nullptr));
}

TEST(time, units) {
  EXPECT_EQ((1_s).ns, 1'000'000'000);
  EXPECT_EQ((1_ms).ns, 1'000'000);
  EXPECT_EQ((1_us).ns, 1'000);
  EXPECT_EQ(seconds(1).ns, 1'000'000'000);
  EXPECT_EQ(duration{999'999'999}.seconds(), 0);
  EXPECT_EQ(duration{1'000'000'000}.seconds(), 1);
  EXPECT_EQ(duration{999'999}.milliseconds(), 0);
  EXPECT_EQ(duration{1'000'000}.milliseconds(), 1);
  EXPECT_EQ((2_s - 500_ms).milliseconds(), 1500);
  EXPECT_EQ((instant{5} + duration{3}).ns, 8);
  EXPECT_EQ((instant{5} - instant{3}).ns, 2);
}

TEST(time, arithmetic) {
  EXPECT_EQ((2_s + 500_ms).milliseconds(), 2500);
  EXPECT_EQ((instant{} + 3_s) - (instant{} + 1_s), 2_s);
  EXPECT_LT(instant{} + 1_s, never);
  EXPECT_EQ(seconds(300), 300_s);
}

TEST(guard, runs_unless_dismissed) {
  int runs = 0;
  {
    at_scope_end count([&] { ++runs; });
  }
  EXPECT_EQ(runs, 1);
  {
    at_scope_end count([&] { ++runs; });
    count.dismiss();
  }
  EXPECT_EQ(runs, 1);
}

}  // namespace
