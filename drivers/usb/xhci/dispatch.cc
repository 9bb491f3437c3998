// What the controller tells the devices and the attendants of its ports.
#include <algorithm>

#include "drivers/usb/xhci/attendant.h"
#include "drivers/usb/xhci/controller.h"
#include "hal/log.h"

namespace xhci {

void controller::die(const char* why, u32 blamed_slot) {
  if (dead_) return;
  dead_ = true;
  printk("xhci%u: %s; every device on it is gone\n", number_, why);
  blame(blamed_slot);
  for (root_port& port : ports_)
    if (port.occupant) port.occupant->mark_gone();
  wake_up(command_done_);
  wake_up(attention_);
}

// The slot of the device that the controller was busy with, as far as that can be told; 0: it was
// idle, and no device is to blame.
u32 controller::slot_at_work() const {
  const device* last = devices_[last_slot_ <= max_slots ? last_slot_ : 0];
  return last && last->is_at_work() ? last_slot_ : 0;
}

void controller::blame(u32 slot) {
  if (slot == 0 || slot > max_slots || !devices_[slot]) return;
  ports_[devices_[slot]->facts.port].history.blame();
  device_is_blamed_ = true;
}

// lsusb shows no device of a controller that is dead.
void controller::forget_devices() {
  for (u32 n = 1; n <= max_ports; ++n) {
    ports_[n].given_up = false;
    if (attendants_[n]) attendants_[n]->forget();
  }
}

bool controller::any_device_comes_up() const {
  return std::ranges::any_of(
      ports_, [](const root_port& port) { return port.occupant && !port.occupant->facts.driver; });
}

// Whether the device in the port is served now (port_history.h).
bool controller::may_serve(root_port& port) {
  if (port.history.is_left_alone()) {
    constexpr const char* why = "the controller has died of it; it is left alone";
    printk("usb %u-%u: %s until it is pulled\n", number_, port.number(), why);
    attendants_[port.number()]->set_aside(why);
    port.given_up = true;
    return false;
  }
  if (port.history.is_suspect() && any_device_comes_up()) return false;
  return !port.history.rests(now());
}

void controller::serve_port(root_port& port) {
  if (!attendants_[port.number()]->serve(!at_start_) || at_start_) return;
  if (port.history.serve(now()))
    printk("usb %u-%u: a device comes and goes; from now on the port has rests\n", number_,
           port.number());
}

// The port shows that its device was pulled. In the first second after a start it may show so only
// because of the start.
void controller::note_pull(root_port& port) {
  constexpr duration settling = 1_s;
  port.given_up = false;
  if (now() - started_ > settling) port.history.forgive();
}

void controller::look_at_port(root_port& port) {
  const port_status status = port.status();
  tend_power(port, status);
  if (port.occupant) {
    if (port.lost(status)) return port.occupant->mark_gone();
    return port.clear_minor_changes(status);
  }
  port.history.look(!status.connected() && !status.connect_changed(), now());
  if (!status.connected() || status.connect_changed()) note_pull(port);
  if (!port.given_up) attendants_[port.number()]->forget();
  if (!status.connected()) {
    port.clear_changes();
    return port.tend_link(status);
  }
  if (port.given_up || !may_serve(port)) return port.clear_changes();
  serve_port(port);
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
