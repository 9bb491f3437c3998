#include "drivers/usb/core.h"

#include <algorithm>

#include "hal/log.h"
#include "hal/memory.h"
#include "lib/guard.h"

namespace usb {

namespace {

constinit intrusive_list<host_device, &host_device::link> devices{};
constinit intrusive_list<unused_device, &unused_device::link> unused_devices{};

constexpr u8 request_get_descriptor = 6;
constexpr u8 class_hub = 9;

template <size_t N>
void read_string(device& from, u8 index, u16 language, std::array<char, N>& to) {
  std::array<byte, 255> buffer{};
  if (index == 0) return;
  if (const result<u32> length =
          get_descriptor(from, descriptor_type::string, index, language, buffer))
    string_to_ascii(std::span(buffer).first(*length), to);
}

// The names are for people to read; a device without them is served as well.
void read_strings(host_device& device, const device_descriptor& d) {
  std::array<byte, 255> languages{};
  const result<u32> length =
      get_descriptor(device, descriptor_type::string, 0, 0, std::span(languages));
  if (!length) return;
  const u16 language =
      *length >= 4
          ? static_cast<u16>(static_cast<u32>(languages[2]) | static_cast<u32>(languages[3]) << 8)
          : u16{0x0409};
  read_string(device, d.manufacturer, language, device.facts.manufacturer);
  read_string(device, d.product, language, device.facts.product);
  read_string(device, d.serial, language, device.facts.serial);
}

result<device_descriptor> read_device_descriptor(host_device& device) {
  std::array<byte, sizeof(device_descriptor)> buffer{};
  if (device.facts.at == speed::full) {
    // EP0's packet size is not known yet. The first eight bytes fit into a packet of any size.
    if (TRY(get_descriptor(device, descriptor_type::device, 0, 0, std::span(buffer).first(8))) < 8)
      return fail(error::eproto);
    const u16 size = static_cast<u8>(buffer[7]);
    if (size != 8 && size != 16 && size != 32 && size != 64) return fail(error::eproto);
    TRY(with_patience([&] { return device.set_control_packet_size(size); }));
  }
  const u32 length = TRY(get_descriptor(device, descriptor_type::device, 0, 0, buffer));
  const device_descriptor d = TRY(parse_device(std::span(buffer).first(length)));
  if (control_packet_size(d, device.facts.at) == 0) return fail(error::eproto);
  return d;
}

result<configuration> read_configuration(host_device& device) {
  const std::span<byte> buffer = device.memory.page.bytes();  // its class driver comes later
  configuration_descriptor head{};
  const u32 first =
      TRY(get_descriptor(device, descriptor_type::configuration, 0, 0, buffer.first(sizeof(head))));
  if (first < sizeof(head)) return fail(error::eproto);
  const size_t total = static_cast<size_t>(buffer[2]) | static_cast<size_t>(buffer[3]) << 8;
  const std::span<byte> whole = buffer.first(std::min(total, buffer.size()));
  const u32 length = TRY(get_descriptor(device, descriptor_type::configuration, 0, 0, whole));
  return parse_configuration(whole.first(length));
}

// Reads all that must be known before a class driver serves the device.
result<configuration> identify(host_device& device) {
  const device_descriptor d = TRY(read_device_descriptor(device));
  device.facts.vendor_id = d.vendor_id;
  device.facts.product_id = d.product_id;
  read_strings(device, d);
  const device_facts& facts = device.facts;
  printk("usb %u-%u: %04x:%04x \"%s\" serial \"%s\"\n", facts.bus, facts.port, facts.vendor_id,
         facts.product_id, facts.product.data(), facts.serial.data());
  if (d.device_class == class_hub) {
    device.facts.unused = "hubs are not supported yet";
    printk("usb %u-%u: %s\n", facts.bus, facts.port, facts.unused);
    return fail(error::enotsup);
  }
  return read_configuration(device);
}

// A step that fails once must not cost the device: a reset configures it again.
result<void> configure(host_device& device, u8 value, const interface_info& interface) {
  const result<void> configured = device.configure(value, interface.endpoints());
  return configured ? configured : bring_into_step(device);
}

result<void> identify_and_serve(host_device& device) {
  const configuration chosen = TRY(identify(device));
  for (const interface_info& interface : chosen.interfaces())
    for (const class_driver& driver : class_drivers())
      if (interface.alternate == 0 && driver.matches(interface)) {
        TRY(configure(device, chosen.value, interface));
        device.facts.driver = driver.name;
        driver.serve(device, interface);
        return {};
      }
  device.facts.unused = "no driver for this device";
  printk("usb %u-%u: %s\n", device.facts.bus, device.facts.port, device.facts.unused);
  return {};
}

// Why a device is not used any more, or never was.
const char* reason(const host_device& device, const result<void>& served) {
  if (served) return "its driver has given it up";
  if (served.error() == error::eproto) return "it describes itself wrongly";
  return device.facts.driver ? "it does not work" : "it does not answer as it must";
}

const char* speed_name(speed at) {
  switch (at) {
    case speed::low: return "1.5M";
    case speed::full: return "12M";
    case speed::high: return "480M";
    case speed::super: return "5000M";
    case speed::super_plus: return "10000M";
    default: return "?";
  }
}

void list(text_sink& out, const device_facts& facts) {
  out.print("Bus %03u Port %03u: ID %04x:%04x %s \"%s\" \"%s\" serial \"%s\" ", facts.bus,
            facts.port, facts.vendor_id, facts.product_id, speed_name(facts.at),
            facts.manufacturer.data(), facts.product.data(), facts.serial.data());
  if (facts.unused)
    out.print("not used: %s\n", facts.unused);
  else
    out.print("driver %s\n", facts.driver ? facts.driver : "none");
}

}  // namespace

result<u32> get_descriptor(device& from, descriptor_type type, u8 index, u16 language,
                           std::span<byte> to) {
  const setup_packet setup{.request_type = 0x80,
                           .request = request_get_descriptor,
                           .value = static_cast<u16>(static_cast<u32>(type) << 8 | index),
                           .index = language,
                           .length = static_cast<u16>(to.size())};
  return with_patience([&] { return from.control(setup, to); });
}

result<void> bring_into_step(device& device) {
  constexpr int max_tries = 3;
  result<void> outcome = fail(error::eio);
  for (int tries = 0; tries < max_tries && !outcome && !device.gone(); ++tries)
    outcome = device.reset();
  if (device.gone()) return fail(error::enodev);
  return outcome;
}

result<void> driver_memory::allocate() {
  page = TRY(dma_buffer::allocate(PAGE_SIZE, PAGE_SIZE));
  u32 largest = 0;
  for (const class_driver& driver : class_drivers())
    largest = std::max(largest, driver.object_size);
  object = TRY(dma_buffer::allocate(largest, PAGE_SIZE));
  return {};
}

void attend(host_device& device) {
  devices.push_back(device);
  const at_scope_end forget([&device] { devices.remove(device); });
  const result<void> served = identify_and_serve(device);
  if (!device.facts.unused) device.facts.unused = reason(device, served);
  if (!served && served.error() != error::enotsup && !device.gone())
    printk("usb %u-%u: not usable (error %d)\n", device.facts.bus, device.facts.port,
           to_errno(served.error()));
}

void remember(unused_device& place, const device_facts& facts) {
  forget(place);
  place.facts = facts;
  unused_devices.push_back(place);
}

void forget(unused_device& place) {
  if (place.link.linked()) unused_devices.remove(place);
}

void list_devices(text_sink& out) {
  for (const host_device& device : devices)
    if (!device.gone()) list(out, device.facts);
  for (const unused_device& device : unused_devices) list(out, device.facts);
}

}  // namespace usb
