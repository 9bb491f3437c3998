#include "drivers/usb/descriptors.h"

#include <cstring>

namespace usb {

namespace {

template <class T>
bool read_as(std::span<const byte> from, T& to) {
  if (from.size() < sizeof(T)) return false;
  std::memcpy(&to, from.data(), sizeof(T));
  return true;
}

constexpr u8 usb_class_endpoint_number = 0x0F;

void add_interface(configuration& to, const interface_descriptor& d) {
  if (to.interface_count == configuration::max_interfaces) return;
  interface_info& added = to.interface_list[to.interface_count++];
  added.number = d.number;
  added.alternate = d.alternate;
  added.interface_class = d.interface_class;
  added.subclass = d.subclass;
  added.protocol = d.protocol;
}

endpoint* add_endpoint(interface_info& to, const endpoint_descriptor& d) {
  const u16 size = d.max_packet_size & 0x7FF;
  if (to.endpoint_count == interface_info::max_endpoints) return nullptr;
  if ((d.address & usb_class_endpoint_number) == 0 || size == 0) return nullptr;
  for (const endpoint& known : to.endpoints())
    if (known.address == d.address) return nullptr;
  endpoint& added = to.endpoint_list[to.endpoint_count++];
  added = {.address = d.address, .attributes = d.attributes, .max_packet_size = size};
  return &added;
}

// Appends a character to a C string of `used` characters, if it fits.
void append(std::span<char> to, size_t& used, u32 character) {
  if (used + 1 >= to.size()) return;
  to[used++] = character >= 0x20 && character < 0x7F ? static_cast<char>(character) : '?';
}

void finish(std::span<char> to, size_t used) {
  while (used > 0 && to[used - 1] == ' ') --used;
  for (; used < to.size(); ++used) to[used] = '\0';
}

}  // namespace

result<device_descriptor> parse_device(std::span<const byte> from) {
  device_descriptor d{};
  if (!read_as(from, d) || d.length < sizeof(d) ||
      d.type != static_cast<u8>(descriptor_type::device))
    return fail(error::eproto);
  return d;
}

result<configuration> parse_configuration(std::span<const byte> row) {
  configuration_descriptor head{};
  if (!read_as(row, head) || head.length < sizeof(head) ||
      head.type != static_cast<u8>(descriptor_type::configuration) ||
      head.total_length > row.size() || head.length > head.total_length)
    return fail(error::eproto);
  configuration result;
  result.value = head.value;
  interface_info* current = nullptr;
  endpoint* last = nullptr;
  row = row.subspan(head.length, head.total_length - size_t{head.length});
  while (row.size() >= 2) {
    const auto length = static_cast<u8>(row[0]);
    if (length < 2 || length > row.size()) return fail(error::eproto);
    const std::span<const byte> one = row.first(length);
    switch (static_cast<descriptor_type>(row[1])) {
      case descriptor_type::interface: {
        interface_descriptor d{};
        if (!read_as(one, d)) return fail(error::eproto);
        const u8 before = result.interface_count;
        add_interface(result, d);
        current = result.interface_count > before ? &result.interface_list[before] : nullptr;
        last = nullptr;
        break;
      }
      case descriptor_type::endpoint: {
        endpoint_descriptor d{};
        if (!read_as(one, d)) return fail(error::eproto);
        last = current ? add_endpoint(*current, d) : nullptr;
        break;
      }
      case descriptor_type::super_speed_companion: {
        companion_descriptor d{};
        if (!read_as(one, d)) return fail(error::eproto);
        if (last) last->max_burst = d.max_burst & 0x0F;
        break;
      }
      default: break;
    }
    row = row.subspan(length);
  }
  return result;
}

void string_to_ascii(std::span<const byte> descriptor, std::span<char> to) {
  size_t used = 0;
  if (descriptor.size() >= 2 && descriptor[1] == static_cast<byte>(descriptor_type::string)) {
    const size_t length = std::min(static_cast<size_t>(descriptor[0]), descriptor.size());
    for (size_t i = 2; i + 1 < length; i += 2) {
      const u32 character = static_cast<u32>(descriptor[i]) | static_cast<u32>(descriptor[i + 1])
                                                                  << 8;
      if (character == 0) break;
      if (used == 0 && character == ' ') continue;
      append(to, used, character);
    }
  }
  finish(to, used);
}

void field_to_ascii(std::span<const byte> field, std::span<char> to) {
  size_t used = 0;
  for (const byte b : field) {
    if (b == byte{0}) break;
    if (used == 0 && b == byte{' '}) continue;
    append(to, used, static_cast<u32>(b));
  }
  finish(to, used);
}

u16 control_packet_size(const device_descriptor& device, speed at) {
  const u8 said = device.max_packet_size0;
  if (at >= speed::super) return said == 9 ? 512 : 0;
  if (at == speed::high) return said == 64 ? 64 : 0;
  return said == 8 || said == 16 || said == 32 || said == 64 ? said : 0;
}

}  // namespace usb
