// The character devices by major number (the book's crw_table): see char_device.h.
#include "drivers/char/char_device.h"

#include <array>

#include "hal/panic.h"

namespace {
constexpr u8 NR_MAJORS = 16;
std::array<const char_device*, NR_MAJORS> char_devices;
}  // namespace

void register_char_device(u8 major, const char_device& device) {
  kassert(major < NR_MAJORS && !char_devices[major]);
  char_devices[major] = &device;
}

result<const char_device*> find_char_device(dev_id dev) {
  const char_device* device = dev.major() < NR_MAJORS ? char_devices[dev.major()] : nullptr;
  if (!device || (device->has && !device->has(dev.minor()))) return fail(error::enxio);
  return device;
}
