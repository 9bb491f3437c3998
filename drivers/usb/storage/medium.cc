#include "drivers/usb/storage/medium.h"

#include <utility>

#include "hal/clock.h"

namespace usb::storage {

namespace {

constexpr duration exchange = 2_s;  // takes as long at the least
constexpr duration search = 5_s;    // of a reader for its card: takes as long at the most

}  // namespace

void medium_record::look_for_reset(u32 resets) {
  if (std::exchange(resets_, resets) == resets) return;
  reset_at_ = now();
  if (away_since_ == never) return;
  away_since_ = now();
  lost_by_a_reset_ = true;
}

bool medium_record::is_behind_a_reset() const {
  return reset_at_ != never && now() - reset_at_ < search;
}

bool medium_record::was_away_for(duration limit) const {
  return away_since_ != never && now() - away_since_ >= limit;
}

bool medium_record::note_none(u32 resets) {
  look_for_reset(resets);
  if (away_since_ == never) {
    away_since_ = now();
    lost_by_a_reset_ = is_behind_a_reset();
  }
  return was_away_for(lost_by_a_reset_ ? search : exchange);
}

// Behind a reset the time until here tells nothing: the unit may have rested for most of it.
bool medium_record::note_ready(u32 resets) {
  look_for_reset(resets);
  const bool exchanged = !lost_by_a_reset_ && was_away_for(exchange);
  away_since_ = never;
  lost_by_a_reset_ = false;
  return exchanged;
}

bool medium_record::note_change(u32 resets) {
  look_for_reset(resets);
  return !is_behind_a_reset();
}

bool medium_record::note_size(u64 bytes) {
  const u64 before = std::exchange(bytes_, bytes);
  return before != 0 && before != bytes;
}

}  // namespace usb::storage
