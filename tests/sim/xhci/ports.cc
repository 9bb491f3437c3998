// The root hub (xHCI 1.2, 4.19).
#include "hal/clock.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/xhci/controller.h"

namespace sim::hc {

namespace {
constexpr u32 speed_bits = 0xFu << 10, link_bits = 0xFu << 5;
}

bool controller::any_port_resetting() const {
  for (const port& p : ports_)
    if (p.status & port_reset) return true;
  return false;
}

// Sends an event when the first change bit is set, and the next one only after all were cleared.
void controller::set_changes(u32 number, u32 changes) {
  port& p = ports_[number];
  const bool news = !(p.status & all_changes);
  p.status |= changes;
  if (!chosen_.like_qemu) status_ |= sts_port_change;
  if (news) post({u64{number} << 24, success << 24, event_port << 10});
}

// --- plug and pull ---

void controller::plug(u32 number, usb_function& device) {
  port& p = ports_[number];
  if (p.pull_unnoticed) notice_pull(number);
  p.device = &device;
  ++p.connection;
  device.ready = [this, number] { wake_endpoints(number); };
  p.contact.reset();
  device.attached(speed_in(number));
  if (chosen_.like_qemu) return show_connection(number);
  const u32 connection = p.connection;
  time_.between(
      {}, 15_ms,
      [this, number, connection] {  // until the contacts are closed and the link has trained
        if (ports_[number].connection == connection && !(ports_[number].status & port_connected))
          show_connection(number);
      });
}

bus_speed controller::speed_in(u32 number) const {
  if (is_super(number)) return bus_speed::super;
  return ports_[number].device->full_speed ? bus_speed::full : bus_speed::high;
}

// How long a host must wait (USB 2.0, 7.1.7.3 and 7.1.7.5): TATTDB after the contact, TRSTRCY after
// a reset.
void controller::check_patience(u32 number) {
  const port& p = ports_[number];
  if (p.contact && now() - *p.contact < 100_ms)
    complain("a device was addressed within 100 ms of its contact");
  if (p.reset_ended && now() - *p.reset_ended < 10_ms)
    complain("a device was addressed within 10 ms of its reset");
}

void controller::show_connection(u32 number) {
  port& p = ports_[number];
  if (!(status_ & sts_halted)) p.contact = now();
  p.reset_ended.reset();
  if (!(p.status & port_power)) return;
  p.status &= ~(speed_bits | link_bits | port_enabled);
  p.status |= port_connected;
  if (is_super(number)) {
    p.status |= port_enabled | static_cast<u32>(bus_speed::super) << 10 | link_u0 << 5;
    p.device->bus_reset();
  } else {
    p.status |= link_polling << 5;
  }
  set_changes(number, change_connect);
}

void controller::unplug(u32 number) {
  port& p = ports_[number];
  p.device = nullptr;
  ++p.connection;
  p.pull_unnoticed = true;
  wake_endpoints(number);
  const bool at_once = chosen_.like_qemu || random_chance(2);
  if (at_once) return notice_pull(number);
  const u32 connection = p.connection;
  time_.between({}, 1_ms, [this, number, connection] {
    if (ports_[number].connection == connection && ports_[number].pull_unnoticed)
      notice_pull(number);
  });
}

void controller::notice_pull(u32 number) {
  port& p = ports_[number];
  p.pull_unnoticed = false;
  if (!(p.status & port_connected)) return;  // PORTSC has never shown it
  const bool reset_ended = p.status & port_reset;
  p.status &= ~(port_connected | port_enabled | port_reset | speed_bits | link_bits);
  p.status |= link_rx_detect << 5;
  if (chosen_.like_qemu) p.status &= ~all_changes;
  set_changes(number, change_connect | (reset_ended && random_chance(2) ? change_reset : 0));
}

// The slot's device, if packets reach it: the device that was addressed is still in the port, and
// the port is enabled.
usb_function* controller::reachable(const slot& s) const {
  const port& p = ports_[s.root_port];
  const bool same = p.connection == s.connection && p.device;
  return same && (p.status & port_enabled) ? p.device : nullptr;
}

void controller::wake_endpoints(u32 number) {
  for (u32 id = 1; id < slots_.size(); ++id)
    if (slots_[id].enabled && slots_[id].root_port == number)
      for (u32 dci = 1; dci < 32; ++dci)
        if (endpoint& e = slots_[id].endpoints[dci]; e.waiting) {
          e.waiting = false;
          kick(id, dci);
        }
}

// --- PORTSC ---

void controller::write_port(u32 number, u32 value) {
  if (status_ & sts_halted) complain("PORTSC was written while the controller was halted");
  port& p = ports_[number];
  p.status &= ~(value & all_changes);
  if ((value & port_enabled) && !chosen_.like_qemu) {
    p.status &= ~(port_enabled | link_bits);
    p.status |= link_disabled << 5;
  }
  if (!(value & port_power)) {
    p.status &= ~(port_power | port_connected | port_enabled | port_reset);
    return;
  }
  if (!(p.status & port_power)) {
    p.status |= port_power;
    p.powered = now();
    if (p.device) show_connection(number);
    p.contact.reset();
  }
  if (!(value & (port_reset | port_warm_reset))) return;
  if (p.powered && now() - *p.powered < 20_ms) complain("a reset within 20 ms of the port's power");
  if ((value & port_reset) || is_super(number)) reset_port(number, value & port_warm_reset);
}

void controller::reset_port(u32 number, bool warm) {
  port& p = ports_[number];
  if (!(p.status & port_connected) || (p.status & port_reset)) return;
  p.status &= ~(port_enabled | link_bits);
  p.status |= port_reset | link_polling << 5;
  const u32 connection = p.connection;
  if (chosen_.like_qemu) return finish_reset(number, warm, connection);
  time_.between(5_ms, 30_ms, [this] { step(step_kind::port_reset); });
  time_.between(31_ms, 60_ms, [=, this] { finish_reset(number, warm, connection); });
}

void controller::finish_reset(u32 number, bool warm, u32 connection) {
  port& p = ports_[number];
  if (p.connection != connection || !(p.status & port_reset)) return;
  p.device->bus_reset();
  p.status &= ~(port_reset | speed_bits | link_bits);
  p.status |= port_enabled | static_cast<u32>(speed_in(number)) << 10;
  p.reset_ended = now();
  set_changes(number, change_reset | (warm ? change_warm_reset : 0));
}

}  // namespace sim::hc
