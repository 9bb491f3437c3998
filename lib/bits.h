// Bit fields of register values and of the words that a controller reads.
//
//   using port_reset = field<4>;            // one bit
//   using max_packet = field<31, 16>;       // bits 31 to 16
//   u32 dw1 = max_packet::of(512) | ...;
//   u32 mps = max_packet::get(dw1);  dw1 = max_packet::set(dw1, 64);
//
// A register is a snapshot: read it once, change the copy, write it once.
#pragma once

#include "lib/types.h"

template <unsigned High, unsigned Low = High, class Word = u32>
struct field {
  static_assert(High >= Low && High < 8 * sizeof(Word));
  static constexpr Word mask = static_cast<Word>(
      (High - Low + 1 == 8 * sizeof(Word) ? ~Word{0} : (Word{1} << (High - Low + 1)) - 1) << Low);

  static constexpr Word get(Word word) { return (word & mask) >> Low; }
  static constexpr Word of(Word value) { return (value << Low) & mask; }
  static constexpr Word set(Word word, Word value) { return (word & ~mask) | of(value); }
  static constexpr bool in(Word word) { return (word & mask) != 0; }
};
