// What lsusb shows.
#pragma once

#include <array>
#include <string>

#include "drivers/usb/core.h"
#include "lib/format.h"

namespace sim {

inline std::string listed() {
  std::array<char, 1024> room{};
  text_sink out(room);
  usb::list_devices(out);
  return std::string(out.text());
}

}  // namespace sim
