// The limits, and the counting: see trouble.h.
#include "drivers/usb/storage/trouble.h"

#include <algorithm>
#include <utility>

#include "hal/clock.h"

namespace usb::storage {

void trouble_record::note_hang(command_kind kind) {
  ++hangs_in_a_row_;
  if (kind != command_kind::examination) ++hung_[std::to_underlying(kind)];
}

void trouble_record::note_success(command_kind kind, const command_bytes& command) {
  if (kind != command_kind::examination) hung_[std::to_underlying(kind)] = 0;
  if (command == suspect_) ends_by_suspect_ = 0;
}

// READs and WRITEs may hang more often than others: they are many, and of many places.
const char* trouble_record::reason_to_give_up() const {
  constexpr u32 most = 4, most_moves = 8;
  using enum command_kind;
  if (hung(flush) >= most) return "it completes no SYNCHRONIZE CACHE";
  const bool silent = hangs_in_a_row_ >= most || hung(other) >= most;
  if (silent || hung(read) >= most_moves || hung(write) >= most_moves)
    return "it does not answer any more";
  return nullptr;
}

duration trouble_record::rest() const {
  constexpr u32 most_doublings = 5;
  return seconds(i64{1} << std::min(std::ranges::max(hung_), most_doublings));
}

bool trouble_record::is_bad_place(const command_bytes& command) {
  if (std::exchange(suspect_, command) != command) ends_by_suspect_ = 0;
  if (ends_by_suspect_ == most_ends_by_one) {
    refused_until_ = now() + 60_s;
    return true;
  }
  ++ends_by_suspect_;
  return false;
}

bool trouble_record::is_refused(const command_bytes& command) const {
  return command == suspect_ && ends_by_suspect_ == most_ends_by_one && now() < refused_until_;
}

void trouble_record::begin_plug() { plug_since_ = now(); }

// A medium that has ended several short plugs so is one that fails without a reason.
bool trouble_record::may_be_an_exchange() {
  constexpr duration short_plug = 10_s;
  constexpr u32 most = 3;
  if (now() - plug_since_ >= short_plug) ends_without_reason_ = 0;
  if (ends_without_reason_ == most) return false;
  ++ends_without_reason_;
  return true;
}

}  // namespace usb::storage
