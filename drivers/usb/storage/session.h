// session: a mass storage device with all its units, from plug to pull. The task that the core has
// for the device serves them (unit.h).
#pragma once

#include <array>
#include <optional>
#include <span>

#include "drivers/usb/storage/bot.h"
#include "drivers/usb/storage/unit.h"

namespace usb::storage {

// The transports have 16 at most; card readers have up to eight.
constexpr u8 max_units = 8;

// The driver's object for a device; it is placed in host_device::memory.
class session {
 public:
  session(host_device& device, const interface_info& interface) : carrier_(device, interface) {}

  // Serves the device until it is gone or of no use. Sleeps.
  void serve();

 private:
  void find_units();
  bool serve_in_turn();
  const char* reason_of_end();
  void sleep_until_needed();

  bulk_only carrier_;
  segment_list segments_{};
  std::array<std::optional<unit>, max_units> places_;
  u8 count_ = 0;
};

// For the core's table of class drivers.
bool matches(const interface_info& interface);
void serve(host_device& device, const interface_info& interface);
constexpr u32 object_size = sizeof(session);

}  // namespace usb::storage
