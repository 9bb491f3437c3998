// USB descriptors, and the strings in them.
#include "drivers/usb/descriptors.h"

#include <cstring>

#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace fuzz {

namespace {

void demand_text(std::span<const char> text) {
  demand(std::memchr(text.data(), 0, text.size()) != nullptr, "a string without an end");
  for (const char* c = text.data(); *c; ++c)
    demand(*c >= ' ' && *c <= '~', "a string that is not printable");
}

void parse_texts(std::span<const byte> bytes, size_t room) {
  std::array<char, 64> text;
  text.fill('\x7f');
  const std::span<char> to = std::span(text).first(room);
  usb::string_to_ascii(bytes, to);
  demand_text(to);
  usb::field_to_ascii(bytes, to);
  demand_text(to);
}

void parse_configuration(std::span<const byte> bytes) {
  const auto found = usb::parse_configuration(bytes);
  if (!found) return;
  demand(found->interface_count <= usb::configuration::max_interfaces, "too many interfaces");
  for (const usb::interface_info& each : found->interfaces())
    demand(each.endpoint_count <= usb::interface_info::max_endpoints, "too many endpoints");
}

void run(std::span<const byte> bytes) {
  input in(bytes);
  const u8 kind = in.number();
  const auto rest = in.take(bytes.size());
  switch (kind % 3) {
    case 0: return parse_configuration(rest);
    case 1: return parse_texts(rest, 1 + kind / 3 % 64);
    case 2:
      if (const auto device = usb::parse_device(rest))
        for (u8 at = 0; at <= 6; ++at)
          static_cast<void>(usb::control_packet_size(*device, static_cast<usb::speed>(at)));
  }
}

}  // namespace

const target descriptors{"descriptors", [] {}, run};

}  // namespace fuzz
