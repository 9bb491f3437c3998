#include "drivers/usb/storage/medium.h"

#include <utility>

#include "hal/clock.h"

namespace usb::storage {

namespace {

constexpr duration exchange = 2_s, search = 10_s;  // at the least, and at the most

}  // namespace

bool medium_record::was_away_for(duration limit) const {
  return away_since_ != never && now() - away_since_ >= limit;
}

bool medium_record::note_none(u32 resets) {
  if (away_since_ == never) {
    away_since_ = now();
    behind_a_reset_ = resets != resets_when_ready_;
  }
  return was_away_for(behind_a_reset_ ? search : exchange);
}

// Behind a reset the time until here tells nothing: the unit may have rested for most of it.
bool medium_record::note_ready(u32 resets) {
  const bool exchanged = !behind_a_reset_ && was_away_for(exchange);
  away_since_ = never;
  resets_when_ready_ = resets;
  return exchanged;
}

bool medium_record::note_size(u64 bytes) {
  const u64 before = std::exchange(bytes_, bytes);
  return before != 0 && before != bytes;
}

}  // namespace usb::storage
