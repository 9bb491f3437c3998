// The USB core: what happens between a device's address and its class driver's first command.
//
// attend() is the life of one device, in its own task: read the descriptors, choose a class driver,
// configure, and let the driver serve it until it is unplugged.
#pragma once

#include <array>

#include "drivers/usb/descriptors.h"
#include "drivers/usb/usb.h"
#include "lib/format.h"
#include "lib/intrusive_list.h"

namespace usb {

// Who a device says it is: for people and for filters, never proof.
struct device_facts {
  u8 bus = 0;
  u8 port = 0;
  speed at = speed::none;
  u16 vendor_id = 0, product_id = 0;
  std::array<char, 64> manufacturer{}, product{}, serial{};  // printable ASCII, NUL-terminated
  const char* driver = nullptr;                              // null: nobody serves it
};

// The memory that a device's class driver works in, reserved by the host controller for each of its
// ports: nothing that a stick needs is allocated when it is plugged in. What the driver of the
// device before left there is still there.
struct driver_memory {
  dma_buffer page;    // for what the device reads and writes
  dma_buffer object;  // for the driver's own object: enough for that of any class driver

  // Errors: enomem.
  result<void> allocate();
};

// A device as the host controller hands it over: addressed, not configured.
class host_device : public device {
 public:
  explicit host_device(const driver_memory& m) : memory(m) {}

  const driver_memory& memory;
  device_facts facts;
  list_link<host_device> link;  // of the list that lsusb shows

  // The device's first packet on EP0 is larger or smaller than was supposed (Evaluate Context).
  virtual result<void> set_control_packet_size(u16 bytes) = 0;
  // Configure Endpoint, then SET_CONFIGURATION.
  virtual result<void> configure(u8 configuration, std::span<const endpoint> endpoints) = 0;
};

// Serves a device until it is gone or given up. Sleeps.
void attend(host_device& device);

// One line for each device that is plugged in, for lsusb.
void list_devices(text_sink& out);

// GET_DESCRIPTOR, a few times if there is no answer. Returns the bytes that came. Sleeps.
result<u32> get_descriptor(device& from, descriptor_type type, u8 index, u16 language,
                           std::span<byte> to);

}  // namespace usb
