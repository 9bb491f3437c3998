// The limits, and the counting: see trouble.h.
#include "drivers/usb/storage/trouble.h"

#include <algorithm>
#include <utility>

#include "hal/clock.h"

namespace usb::storage {

namespace {

bool overlap(sector_range a, sector_range b) { return a.first < b.end && b.first < a.end; }

sector_range common_part(sector_range a, sector_range b) {
  return {std::max(a.first, b.first), std::min(a.end, b.end)};
}

// What is left of a range without one that overlaps it; all of it if that is in its middle.
sector_range without(sector_range all, sector_range part) {
  if (part.first <= all.first) return {std::min(part.end, all.end), all.end};
  return {all.first, part.end < all.end ? all.end : part.first};
}

}  // namespace

// --- commands that hang ---

void trouble_record::note_hang(command_kind kind) {
  ++hangs_in_a_row_;
  note_delay(kind);
}

void trouble_record::note_delay(command_kind kind) {
  if (kind != command_kind::examination) ++hung_[std::to_underlying(kind)];
}

void trouble_record::note_success(command_kind kind, sector_range at) {
  if (kind != command_kind::examination) hung_[std::to_underlying(kind)] = 0;
  for (suspect& s : suspects_)
    if (s.is(kind, at)) acquit(s, at);
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

// --- bad places ---

bool trouble_record::suspect::is(command_kind other, sector_range place) const {
  return kind == other && overlap(at, place);
}

void trouble_record::acquit(suspect& s, sector_range at) {
  s.at = without(s.at, at);
  if (s.at.first == s.at.end) s = {};
}

// A new suspect takes the place of the one that was heard of least recently.
void trouble_record::note_end(command_kind kind, sector_range at) {
  if (at == sector_range{}) return;
  auto s = std::ranges::find_if(suspects_, [&](const suspect& each) { return each.is(kind, at); });
  if (s == suspects_.end()) {
    const auto age = [](const suspect& each) { return std::pair(each.ends > 0, each.last); };
    s = std::ranges::min_element(suspects_, {}, age);
    *s = {.kind = kind, .at = at};
  }
  s->at = common_part(s->at, at);
  ++s->ends;
  s->last = now();
}

bool trouble_record::is_bad(command_kind kind, sector_range at) const {
  return std::ranges::any_of(suspects_, [&](const suspect& each) {
    return each.is(kind, at) && each.ends >= most_ends && now() < each.last + 60_s;
  });
}

// --- failures without a reason ---

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
