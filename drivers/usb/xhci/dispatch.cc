// What the controller tells the devices and the attendants of its ports.
#include <algorithm>
#include <utility>

#include "drivers/usb/xhci/attendant.h"
#include "drivers/usb/xhci/controller.h"
#include "hal/log.h"

namespace xhci {

void controller::die(const char* why, root_port* blamed) {
  if (dead_) return;
  if (now() - started_ > long_health) forgive_ports();
  explain_death(blamed);  // reads PORTSC: not of a dead controller
  mark_dead();
  has_died_ = true;
  printk("xhci%u: %s; every device on it is gone\n", number_, why);
  for (root_port& port : ports_)
    if (port.occupant) port.occupant->mark_gone();
  wake_up(command_done_);
  wake_up(attention_);
}

namespace {
bool is_at_work(const root_port& port) {
  return port.occupant && (port.occupant->comes_up() || port.occupant->has_transfers());
}
}  // namespace

// The port of the one device that the controller is busy with: a device that is coming up, has
// transfers under way, or is the one that was `asked`. Null when there is no such device or more
// than one: then it cannot be told which one took the controller down.
root_port* controller::port_at_work(const root_port* asked) {
  root_port* found = nullptr;
  u32 count = 0;
  for (root_port& port : ports_)
    if (is_at_work(port) || &port == asked) found = &port, ++count;
  return count == 1 ? found : nullptr;
}

// Enable Slot has no slot yet.
root_port* controller::port_of_command(const trb& t) {
  const device* d = devices_[trb_control::slot::get(t.control)];
  return port_at_work(d ? &ports_[d->facts.port] : nullptr);
}

// A pull explains a death better than the devices do that are left. Without an explanation, the
// devices that are left alone do not explain the deaths before, either; but a long health shows
// that it was right to leave them alone.
void controller::explain_death(root_port* blamed) {
  if (has_left_the_bus()) return;
  const bool at_a_pull = is_at_a_pull();
  death_is_explained_ = at_a_pull || blamed;
  if (at_a_pull) return;
  if (blamed) return blame(*blamed);
  if (now() - started_ <= long_health) acquit_ports();
  choose_suspect();
}

// Whether a device was pulled just now. What its port has been blamed for does not concern the next
// device there.
bool controller::is_at_a_pull() {
  constexpr duration just_now = 1_s;
  bool any = last_pull_ && now() - *last_pull_ < just_now;
  for (root_port& port : ports_) {
    if (!port.occupant || !port.pulled(port.status())) continue;
    port.history.note_pull();
    port.pulled_at = port.pulled_at.value_or(now());
    any = true;
  }
  return any;
}

// The last death makes the device explain the deaths of the others, too. That holds once for each
// of them: otherwise two that are both deadly would take turns.
void controller::blame(root_port& port) {
  port.history.blame();
  if (!port.history.is_left_alone()) return;
  forgive_ports();
  suspect_ = nullptr;
  for (root_port& other : ports_)
    if (&other != &port && !other.history.was_acquitted()) other.history.acquit();
}

void controller::acquit_ports() {
  for (root_port& port : ports_) port.history.acquit();
}

void controller::forgive_ports() {
  for (root_port& port : ports_)
    if (!port.history.is_left_alone()) port.history.forgive();
}

// lsusb shows no device of a controller that is dead.
void controller::forget_devices() {
  for (u32 n = 1; n <= max_ports; ++n) {
    ports_[n].given_up = false;
    if (attendants_[n]) attendants_[n]->forget();
  }
}

bool controller::any_device_at_work() const { return std::ranges::any_of(ports_, is_at_work); }

// Grows with the failures: a device may be at work for some time before it causes a death.
duration controller::patience() const {
  constexpr u32 most_doublings = 4;  // 48 s: less than long_health
  constexpr duration at_first = 3_s;
  return {at_first.ns << std::min(failures_ > 0 ? failures_ - 1 : 0, most_doublings)};
}

// After a death of the controller, each device waits until no other one is at work: so the device
// that causes the next death is found. It waits at most until `patience` after the start. The
// suspect comes first; its port may show it a moment after the others.
bool controller::must_wait(const root_port& port) const {
  constexpr duration for_suspect = 500_ms;
  const duration since_start = now() - started_;
  if (!has_died_ || since_start >= patience()) return false;
  const bool is_first = !suspect_ || suspect_->occupant || since_start >= for_suspect;
  return any_device_at_work() || (&port != suspect_ && !is_first);
}

// Several devices were at work, and one that works all the time is never alone when it comes up
// first. So another one comes first each time. The last port begins, because without a suspect the
// first one does.
void controller::choose_suspect() {
  root_port *last = nullptr, *before = nullptr;
  for (root_port& port : ports_) {
    if (!is_at_work(port)) continue;
    last = &port;
    if (suspect_ && &port < suspect_) before = &port;
  }
  suspect_ = before ? before : last;
}

// A visit ends with its pull. Taking the device down may last longer than the visit.
void controller::end_visit(port_record& record, u32 port, instant begun, bool used) {
  const instant time = now();
  if (record.history.end_visit(record.pulled_at.value_or(time) - begun, used, time))
    printk("usb %u-%u: a device comes and goes; from now on the port has rests\n", number_, port);
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
  if (port.history.rests(now())) {
    attendants_[port.number()]->set_aside("it comes and goes; the port has a rest");
    return false;
  }
  return !must_wait(port);
}

// The occupant of the port is gone.
void controller::note_loss(root_port& port, port_status status) {
  if (port.pulled(status)) {
    last_pull_ = now();
    port.pulled_at = port.pulled_at.value_or(now());
  }
  port.occupant->mark_gone();
}

// The device was pulled, or has just appeared. Only what was in the port since this start can have
// been pulled: a start shows every device as one that has appeared.
void controller::note_change(root_port& port) {
  port.given_up = false;
  if (const auto begun = std::exchange(port.visit, {}))
    end_visit(port, port.number(), *begun, false);
  if (!std::exchange(port.seen_connected, false)) return;
  last_pull_ = now();
  port.history.note_pull();
}

void controller::look_at_port(root_port& port) {
  const port_status status = port.status();
  const bool changed = status.connect_changed();
  tend_power(port, status);
  port.history.look(!port.occupant && !status.connected() && !changed, now());
  if (status.connected() && !changed) port.seen_connected = true;
  if (port.occupant) {
    if (port.lost(status)) return note_loss(port, status);
    return port.clear_minor_changes(status);
  }
  if (!status.connected() || changed) note_change(port);
  if (!port.given_up) attendants_[port.number()]->forget();
  if (!status.connected()) {
    port.clear_changes();
    return port.tend_link(status);
  }
  if (port.given_up || !may_serve(port)) return port.clear_changes();
  // After a death a device may have been plugged in while the controller was started again.
  attendants_[port.number()]->serve(!at_start_ || has_died_);
}

void controller::tell(u32 port, const char* trouble) const {
  printk("usb %u-%u: %s\n", number_, port, trouble);
}

void controller::tend_power(root_port& port, port_status status) {
  switch (port.tend_power(status)) {
    case root_port::power_news::none: break;
    case root_port::power_news::off:
      tell(port.number(), "over-current, the port is switched off");
      break;
    case root_port::power_news::on: tell(port.number(), "the port has power again");
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
  if (n >= 1 && n <= port_count_ && ports_[n].occupant)
    if (const port_status status = ports_[n].status(); ports_[n].lost(status))
      note_loss(ports_[n], status);
  look_at_ports();
}

}  // namespace xhci
