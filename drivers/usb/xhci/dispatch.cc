// What the controller tells the devices and the attendants of its ports.
#include "drivers/usb/xhci/attendant.h"
#include "drivers/usb/xhci/controller.h"
#include "hal/log.h"

namespace xhci {

void controller::die(const char* why) {
  if (dead_) return;
  dead_ = true;
  printk("xhci%u: %s; every device on it is gone\n", number_, why);
  for (root_port& port : ports_)
    if (port.occupant) port.occupant->mark_gone();
  wake_up(command_done_);
  wake_up(attention_);
}

void controller::look_at_port(root_port& port) {
  const port_status status = port.status();
  tend_power(port, status);
  if (port.occupant) {
    if (port.lost(status)) return port.occupant->mark_gone();
    return port.clear_minor_changes(status);
  }
  if (!status.connected() || status.connect_changed()) port.given_up = false;
  if (!port.given_up) attendants_[port.number()]->forget();
  if (!status.connected()) {
    port.clear_changes();
    return port.tend_link(status);
  }
  if (port.given_up) return port.clear_changes();
  attendants_[port.number()]->serve(!at_start_);
}

void controller::tend_power(root_port& port, port_status status) {
  switch (port.tend_power(status)) {
    case root_port::power_news::none: break;
    case root_port::power_news::off:
      printk("usb %u-%u: over-current, the port is switched off\n", number_, port.number());
      break;
    case root_port::power_news::on:
      printk("usb %u-%u: the port has power again\n", number_, port.number());
  }
}

void controller::on_transfer_event(const trb& event) {
  const u32 slot = trb_control::slot::get(event.control);
  if (slot == 0 || slot > max_slots || !devices_[slot]) return;
  devices_[slot]->on_transfer_event(trb_control::endpoint::get(event.control), event.parameter,
                                    code_of(event), trb_status::residual::get(event.status));
}

void controller::on_port_event(const trb& event) {
  const u32 n = trb_status::event_port::get(static_cast<u32>(event.parameter));
  if (n >= 1 && n <= port_count_ && ports_[n].occupant && ports_[n].lost(ports_[n].status()))
    ports_[n].occupant->mark_gone();
  look_at_ports();
}

}  // namespace xhci
