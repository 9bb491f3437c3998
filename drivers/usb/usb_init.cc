#include "drivers/usb/usb_init.h"

#include <array>

#include "drivers/block/media_event.h"
#include "drivers/char/info_device.h"
#include "drivers/pci/pci.h"
#include "drivers/usb/core.h"
#include "drivers/usb/object_pool.h"
#include "drivers/usb/xhci/controller.h"
#include "hal/log.h"
#include "hal/task.h"

namespace {

constexpr u32 max_controllers = 4;
constinit usb::object_pool<xhci::controller, max_controllers> controllers{};
constinit u8 controller_count = 0;
static_assert(max_controllers * xhci::controller::max_ports <= MAX_PORT_MEDIA);

constexpr u16 vendor_intel = 0x8086;

// In Intel's 7 and 8 series the connectors may be switched to an EHCI controller. This switches
// them to the xHCI controller, as far as the masks allow; the SuperSpeed part first.
void route_ports_to_xhci(const pci_device& at) {
  constexpr u8 usb2_routing = 0xD0, usb2_mask = 0xD4, usb3_enable = 0xD8, usb3_mask = 0xDC;
  constexpr u16 panther_point = 0x1E31, lynx_point = 0x8C31, lynx_point_lp = 0x9C31;
  if (at.vendor_id != vendor_intel) return;
  if (at.device_id != panther_point && at.device_id != lynx_point && at.device_id != lynx_point_lp)
    return;
  pci_write32(at, usb3_enable, pci_read32(at, usb3_mask));
  pci_write32(at, usb2_routing, pci_read32(at, usb2_mask));
}

bool on_interrupt(void* controller) {
  return static_cast<xhci::controller*>(controller)->interrupt();
}

void run(void* controller) { static_cast<xhci::controller*>(controller)->run(); }

// A controller's place on the bus.
struct function {
  const pci_device* at = nullptr;
  bool has_handler = false;  // its interrupt line has one

  void let_work() const {
    pci_enable(*at);
    if (has_handler) pci_enable_interrupt(*at);
  }
};
constinit std::array<function, max_controllers> functions{};

void cut_off(const void* place) { pci_cut_off(*static_cast<const function*>(place)->at); }
void restore(const void* place) { static_cast<const function*>(place)->let_work(); }

void connect_interrupt(function& place, xhci::controller* controller) {
  if (request_irq(place.at->interrupt_line, true, on_interrupt, controller))
    place.has_handler = true;
  else
    printk("xhci%u: no interrupt line, polling\n", controller->number());
  place.let_work();
}

// The order matters: a handler can claim the line only when the controller has found its registers,
// and what it marks is of use only to a task. The task begins when this one sleeps.
result<void> start(const pci_device& at) {
  route_ports_to_xhci(at);
  const mmio_window registers = TRY(pci_map_bar(at, 0));
  if (controller_count == max_controllers) return fail(error::enfile);
  function& place = functions[controller_count];
  place = {&at, false};
  place.let_work();
  xhci::controller* controller =
      controllers.make(registers, controller_count++, xhci::bus_access{cut_off, restore, &place});
  static_cast<void>(controller->reserve());  // run() tries again, and prints the error
  TRY(kernel_task("xhci", run, controller));
  connect_interrupt(place, controller);
  return {};
}

}  // namespace

void usb_init() {
  register_info(abi::info_file::usb, usb::list_devices);
  for (const pci_device& found : pci_devices())
    if (found.class_code == pci_class::xhci)
      if (const result<void> started = start(found); !started) {
        pci_cut_off(found);  // the firmware may have left it running
        printk("xhci at %02x:%02x.%u: not usable (error %d)\n", found.bus, found.device,
               found.function, to_errno(started.error()));
      }
}
