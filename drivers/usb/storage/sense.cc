#include "drivers/usb/storage/sense.h"

namespace usb::storage {

namespace {
u8 response_code(std::span<const byte> data) {
  return data.empty() ? u8{0} : static_cast<u8>(data[0] & byte{0x7F});
}
}  // namespace

bool is_sense(std::span<const byte> data) {
  const u8 response = response_code(data);
  return response >= 0x70 && response <= 0x73;
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

verdict judge(const sense& s) {
  constexpr u8 recovered_error = 1, not_ready = 2, illegal_request = 5, unit_attention = 6,
               data_protect = 7;
  if (s.deferred) return verdict::deferred;
  switch (s.key) {
    case recovered_error: return verdict::recovered;
    case not_ready:
      if (s.asc == 0x3A) return verdict::no_medium;
      return s.asc == 0x04 ? verdict::becoming_ready : verdict::retry;
    case illegal_request:
      if (s.asc == 0x20 || s.asc == 0x24) return verdict::not_supported;
      if (s.asc == 0x25) return verdict::no_medium;
      return s.asc == 0x21 ? verdict::out_of_range : verdict::failed;
    case unit_attention:
      if (s.asc == 0x29) return verdict::reset;
      if (s.asc == 0x3A) return verdict::no_medium;
      return s.asc == 0x28 ? verdict::medium_changed : verdict::attention;
    case data_protect: return s.asc == 0x27 ? verdict::write_protected : verdict::failed;
    default: return verdict::retry;  // medium error, hardware error, aborted command and others
  }
}

}  // namespace usb::storage
