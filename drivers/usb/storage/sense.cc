// Reading and judging sense data: see sense.h.
#include "drivers/usb/storage/sense.h"

namespace usb::storage {

namespace {
u8 response_code(std::span<const byte> data) {
  return data.empty() ? u8{0} : static_cast<u8>(data[0] & byte{0x7F});
}
}  // namespace

bool is_sense(std::span<const byte> data) {
  const u8 response = response_code(data);
  const bool fixed = response == 0x70 || response == 0x71;
  const bool described = response == 0x72 || response == 0x73;
  return (fixed && data.size() > 2) || (described && data.size() > 1);
}

sense parse_sense(std::span<const byte> data) {
  const auto at = [&](size_t i) { return i < data.size() ? static_cast<u8>(data[i]) : u8{0}; };
  const u8 response = response_code(data);
  const bool deferred = response == 0x71 || response == 0x73;
  switch (response) {
    case 0x70:
    case 0x71: return {static_cast<u8>(at(2) & 0x0F), at(12), at(13), deferred};
    case 0x72:
    case 0x73: return {static_cast<u8>(at(1) & 0x0F), at(2), at(3), deferred};
    default: return {};
  }
}

namespace {

// 2Ah: parameters have changed, but for the capacity. 2Fh: another host has cleared its commands.
// 5Ah to 5Eh: requests of an operator, logs, failures that are foreseen, power states. None of them
// concerns the medium.
bool is_harmless(u8 attention) {
  return attention == 0x2A || attention == 0x2F || (attention >= 0x5A && attention <= 0x5E);
}

verdict judge_not_ready(const sense& s) {
  if (s.asc == 0x3A) return verdict::no_medium;
  if (s.asc != 0x04) return verdict::retry;
  return s.ascq == 0x02 ? verdict::needs_start : verdict::becoming_ready;
}

verdict judge_illegal_request(const sense& s) {
  if (s.asc == 0x20 || s.asc == 0x24) return verdict::not_supported;
  if (s.asc == 0x25) return verdict::no_medium;
  return s.asc == 0x21 ? verdict::out_of_range : verdict::failed;
}

// 2Ah/09h. What was read of the medium's size is wrong: it must be examined again.
bool capacity_changed(const sense& s) { return s.asc == 0x2A && s.ascq == 0x09; }

verdict judge_attention(const sense& s) {
  if (s.asc == 0x29) return verdict::reset;
  if (s.asc == 0x3A) return verdict::no_medium;
  if (s.asc == 0x28 || capacity_changed(s)) return verdict::medium_changed;
  return is_harmless(s.asc) ? verdict::attention : verdict::other_attention;
}

}  // namespace

verdict judge(const sense& s) {
  constexpr u8 no_sense = 0, recovered_error = 1, not_ready = 2, medium_error = 3,
               illegal_request = 5, unit_attention = 6, data_protect = 7;
  if (s.deferred) return verdict::deferred;
  switch (s.key) {
    case no_sense: return s.asc == 0 ? verdict::unexplained : verdict::retry;
    case recovered_error: return verdict::recovered;
    case not_ready: return judge_not_ready(s);
    case medium_error: return verdict::bad_place;
    case illegal_request: return judge_illegal_request(s);
    case unit_attention: return judge_attention(s);
    case data_protect: return s.asc == 0x27 ? verdict::write_protected : verdict::failed;
    default: return verdict::retry;  // hardware error, aborted command and others
  }
}

}  // namespace usb::storage
