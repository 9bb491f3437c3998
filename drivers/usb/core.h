// The USB core: what is done with a device after it has an address and before its class driver
// sends the first command.
//
// attend() runs in a task for each device: it reads the descriptors, chooses a class driver,
// configures the device, and lets the driver serve it until it is unplugged.
#pragma once

#include <array>
#include <span>

#include "drivers/usb/descriptors.h"
#include "drivers/usb/usb.h"
#include "lib/format.h"
#include "lib/intrusive_list.h"

namespace usb {

// How a device describes itself. It is shown to people and may exclude a device, but proves
// nothing.
struct device_facts {
  u8 bus = 0;
  u8 port = 0;
  speed at = speed::none;
  u16 vendor_id = 0, product_id = 0;
  std::array<char, 64> manufacturer{}, product{}, serial{};  // printable ASCII, NUL-terminated
  const char* driver = nullptr;                              // null: there is none for it
  const char* unused = nullptr;                              // why it is not used; null: it is
};

// A device that is not used, for the list that lsusb shows: the host controller keeps what was
// learnt of it until it is pulled.
struct unused_device {
  device_facts facts;
  list_link<unused_device> link;
};
// Neither sleeps. forget(): nothing when it is not in the list.
void remember(unused_device& place, const device_facts& facts);
void forget(unused_device& place);

// The memory that a device's class driver works in. The host controller reserves it for each of its
// ports, so nothing is allocated when a stick is plugged in. Its content is what the driver of the
// device before has left there.
struct driver_memory {
  dma_buffer page;    // for what the device reads and writes
  dma_buffer object;  // for the driver's own object: enough for that of any class driver

  // Errors: enomem.
  result<void> allocate();
};

// A device as the host controller passes it to the core: addressed, not configured.
class host_device : public device {
 public:
  explicit host_device(const driver_memory& m) : memory(m) {}

  const driver_memory& memory;
  device_facts facts;
  list_link<host_device> link;  // of the list that lsusb shows

  // Sets the largest packet of EP0 to what the device has told (Evaluate Context).
  virtual result<void> set_control_packet_size(u16 bytes) = 0;
  // Configure Endpoint, then SET_CONFIGURATION.
  virtual result<void> configure(u8 configuration, std::span<const endpoint> endpoints) = 0;
};

// A driver for one class of devices.
struct class_driver {
  const char* name;
  bool (*matches)(const interface_info& interface);
  void (*serve)(host_device& device, const interface_info& interface);
  u32 object_size;  // of what `serve` makes in host_device::memory
};
// All class drivers (class_drivers.cc). Never sleeps.
std::span<const class_driver> class_drivers();

// Serves a device until it is gone or turns out to be of no use. Sleeps.
void attend(host_device& device);

// Resets the device and configures it again, a few times if it must be. Errors: enodev when it is
// gone; eio, etimedout and epipe when no reset helps. Sleeps.
result<void> bring_into_step(device& device);

// One line for each device that is plugged in, for lsusb; also for a device that is not used.
void list_devices(text_sink& out);

// Takes a step in getting to know a device, three times if there is no answer: one that is lost
// must not make another device of it, or none. A STALL is an answer. Sleeps as the step does.
template <class Step>
auto with_patience(Step step) -> decltype(step()) {
  constexpr int max_tries = 3;
  auto outcome = step();
  for (int tries = 1; tries < max_tries && !outcome; ++tries) {
    if (outcome.error() != error::eio && outcome.error() != error::etimedout) break;
    outcome = step();
  }
  return outcome;
}

// GET_DESCRIPTOR, a few times if there is no answer. Returns the bytes that came. Sleeps.
result<u32> get_descriptor(device& from, descriptor_type type, u8 index, u16 language,
                           std::span<byte> to);

}  // namespace usb
