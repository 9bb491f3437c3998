// Integers with the byte order in their type, for structures on disk, on the wire and in memory
// that a controller reads. Every one has alignment 1, so a struct of them has no holes.
#pragma once

#include <array>
#include <bit>

#include "lib/types.h"

namespace detail {

template <class T, std::endian Order>
class ordered {
 public:
  constexpr ordered() = default;
  constexpr ordered(T value) { *this = value; }
  constexpr ordered& operator=(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) bytes_[i] = static_cast<u8>(value >> shift(i));
    return *this;
  }
  constexpr operator T() const {
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<T>(value | static_cast<T>(static_cast<T>(bytes_[i]) << shift(i)));
    return value;
  }

 private:
  static constexpr unsigned shift(size_t i) {
    return static_cast<unsigned>(8 * (Order == std::endian::little ? i : sizeof(T) - 1 - i));
  }
  std::array<u8, sizeof(T)> bytes_{};
};

}  // namespace detail

using le16 = detail::ordered<u16, std::endian::little>;
using le32 = detail::ordered<u32, std::endian::little>;
using le64 = detail::ordered<u64, std::endian::little>;
using be16 = detail::ordered<u16, std::endian::big>;
using be32 = detail::ordered<u32, std::endian::big>;
using be64 = detail::ordered<u64, std::endian::big>;

static_assert(sizeof(le32) == 4 && alignof(le32) == 1);
