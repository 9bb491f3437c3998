// The limits, and the counting: see trouble.h.
#include "drivers/usb/storage/trouble.h"

#include <algorithm>
#include <utility>

#include "hal/clock.h"
#include "lib/ids.h"

namespace usb::storage {

namespace {

bool overlap(sector_range a, sector_range b) { return a.first < b.end && b.first < a.end; }

bool touch(sector_range a, sector_range b) { return a.first == b.end || b.first == a.end; }

sector_range both(sector_range a, sector_range b) {
  return {std::min(a.first, b.first), std::max(a.end, b.end)};
}

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
  if (!may_have_suspects_) return;
  for (suspect& s : suspects_)
    if (s.is(kind, at)) acquit(s, at);
}

void trouble_record::note_examination(examination outcome) {
  constexpr duration in_a_row = 600_s;
  if (outcome == examination::answered) hung_examinations_ = 0;
  if (outcome != examination::hung) return;
  if (now() - std::exchange(last_hung_, now()) >= in_a_row) hung_examinations_ = 0;
  ++hung_examinations_;
}

void trouble_record::note_reset() {
  constexpr i64 for_one = 120;  // seconds
  const i64 forgiven = (now() - std::exchange(last_reset_, now())).seconds() / for_one;
  resets_ -= static_cast<u32>(std::min<i64>(resets_, forgiven));
  ++resets_;
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
  constexpr u32 most_by_kind = 5, most = 8;  // half a minute, and four minutes
  const u32 by_kind = std::min(std::ranges::max(hung_), most_by_kind);
  return seconds(i64{1} << std::max(by_kind, std::min(resets_ / 2, most)));
}

// --- bad places ---

bool trouble_record::suspect::is(command_kind other, sector_range place) const {
  return kind == other && overlap(at, place);
}

bool trouble_record::suspect::takes(command_kind other, sector_range place) const {
  const bool single = place.end - place.first <= SECTORS_PER_BLOCK;
  return is(other, place) || (is_known() && single && kind == other && touch(at, place));
}

duration trouble_record::suspect::rest() const {
  constexpr u32 longest = 6;  // about an hour
  return seconds(i64{60} << std::min(ends - most_ends, longest));
}

void trouble_record::acquit(suspect& s, sector_range at) {
  s.at = without(s.at, at);
  if (s.at.first == s.at.end) s = {};
}

// A new suspect takes the place of the one with the fewest ends, or that was heard of least
// recently.
void trouble_record::note_end(command_kind kind, sector_range at) {
  if (at == sector_range{} || kind == command_kind::examination) return;
  may_have_suspects_ = true;
  auto s =
      std::ranges::find_if(suspects_, [&](const suspect& each) { return each.takes(kind, at); });
  if (s == suspects_.end()) {
    const auto worth = [](const suspect& each) {
      return std::pair(std::min(each.ends, most_ends), each.last);
    };
    s = std::ranges::min_element(suspects_, {}, worth);
    *s = {.kind = kind, .at = at};
  }
  s->at = s->is_known() ? both(s->at, at) : common_part(s->at, at);
  ++s->ends;
  s->last = now();
}

bool trouble_record::is_bad(command_kind kind, sector_range at) const {
  if (!may_have_suspects_) return false;
  return std::ranges::any_of(suspects_, [&](const suspect& each) {
    return each.is(kind, at) && each.is_known() && now() < each.last + each.rest();
  });
}

bool trouble_record::has_suspect(command_kind kind, sector_range at) const {
  return std::ranges::any_of(suspects_, [&](const suspect& each) { return each.is(kind, at); });
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

// --- another medium ---

void trouble_record::forget_medium() {
  suspects_ = {};
  hung_ = {};
  hung_examinations_ = 0;
  ends_without_reason_ = 0;
}

}  // namespace usb::storage
