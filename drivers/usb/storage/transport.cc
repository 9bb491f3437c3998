#include "drivers/usb/storage/transport.h"

#include "hal/clock.h"
#include "hal/irq.h"

namespace usb::storage {

void transport::pause(duration time) {
  const irq_guard guard;
  const instant end = now() + time;
  while (!device_.gone() && now() < end && sleep_on(device_.activity, end) == wake_reason::woken) {
  }
}

}  // namespace usb::storage
