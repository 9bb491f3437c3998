// Descriptors: how a device describes itself (USB 3.2, 9.6). Nothing in them is believed unchecked.
//
// A configuration descriptor is a row of descriptors of different kinds; each begins with its
// length and type. A length that is 0 or that reaches past the end makes the whole row invalid.
// Skipped are unknown kinds, and the interfaces and endpoints for which there is no room.
#pragma once

#include <array>
#include <span>

#include "drivers/usb/usb.h"
#include "lib/endian.h"
#include "lib/result.h"

namespace usb {

enum class descriptor_type : u8 {
  device = 1,
  configuration = 2,
  string = 3,
  interface = 4,
  endpoint = 5,
  super_speed_companion = 0x30,
};

struct device_descriptor {
  u8 length, type;
  le16 usb_version;
  u8 device_class, subclass, protocol;
  u8 max_packet_size0;  // SuperSpeed: the exponent
  le16 vendor_id, product_id, device_version;
  u8 manufacturer, product, serial;  // string indices, 0: none
  u8 configurations;
};
static_assert(sizeof(device_descriptor) == 18);

struct configuration_descriptor {
  u8 length, type;
  le16 total_length;
  u8 interfaces;
  u8 value;  // the argument for SET_CONFIGURATION
  u8 name, attributes, max_power;
};
static_assert(sizeof(configuration_descriptor) == 9);

struct interface_descriptor {
  u8 length, type;
  u8 number, alternate, endpoints;
  u8 interface_class, subclass, protocol, name;
};
static_assert(sizeof(interface_descriptor) == 9);

struct endpoint_descriptor {
  u8 length, type;
  u8 address, attributes;
  le16 max_packet_size;
  u8 interval;
};
static_assert(sizeof(endpoint_descriptor) == 7);

struct companion_descriptor {
  u8 length, type;
  u8 max_burst, attributes;
  le16 bytes_per_interval;
};
static_assert(sizeof(companion_descriptor) == 6);

struct interface_info {
  static constexpr u32 max_endpoints = 4;
  u8 number = 0, alternate = 0;
  u8 interface_class = 0, subclass = 0, protocol = 0;
  std::array<endpoint, max_endpoints> endpoint_list{};
  u8 endpoint_count = 0;
  std::span<const endpoint> endpoints() const { return {endpoint_list.data(), endpoint_count}; }
};

struct configuration {
  static constexpr u32 max_interfaces = 8;
  u8 value = 0;
  std::array<interface_info, max_interfaces> interface_list{};
  u8 interface_count = 0;
  std::span<const interface_info> interfaces() const {
    return {interface_list.data(), interface_count};
  }
};

// Errors: eproto for a row that breaks the specification.
result<configuration> parse_configuration(std::span<const byte> row);

// Errors: eproto.
result<device_descriptor> parse_device(std::span<const byte> from);

// A string descriptor as printable ASCII ('?' for other characters), trimmed, NUL-terminated; empty
// for a malformed descriptor.
void string_to_ascii(std::span<const byte> descriptor, std::span<char> to);

// The same for a field of plain characters, padded with spaces or NULs, as SCSI has them.
void field_to_ascii(std::span<const byte> field, std::span<char> to);

// The largest packet of EP0 as the device tells it; 0 for a value that is not allowed.
u16 control_packet_size(const device_descriptor& device, speed at);

}  // namespace usb
